// Kernels with planted faults, which the emulation must find, and their faultless models.
#include "device.cuh"

// Writes one element past out.
KERNEL(fault_past_end, (float *out, int n)) {
  if (threadIdx.x == 0) out[n] = 1.f;
}

// Each thread reads what its neighbour wrote to shared memory: with a barrier in between, and without.
KERNEL(neighbour, (float *out, const float *x)) {
  SHARED(float, tile, [256]);
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = tile[(threadIdx.x + 1) % blockDim.x];
}
KERNEL(fault_missing_barrier, (float *out, const float *x)) {
  SHARED(float, tile, [256]);
  tile[threadIdx.x] = x[threadIdx.x];
  out[threadIdx.x] = tile[(threadIdx.x + 1) % blockDim.x];
}

// Half of the threads wait at another barrier.
KERNEL(fault_divergent_barrier, (float *out)) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 0.f;
}

// A barrier that lane 0 alone of each warp waits at, while the others wait for it in a shuffle.
KERNEL(fault_stuck_warp, (float *out)) {
  float v = 1.f;
  if ((threadIdx.x & 31) == 0) __syncthreads();
  else v = warp_sum(v);
  out[threadIdx.x] = v;
}

KERNEL(fault_past_shared, (float *out)) {
  SHARED(float, tile, [64]);
  tile[threadIdx.x + 1] = 1.f;
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x];
}

KERNEL(fault_past_dynamic, (float *out)) {
  DYNAMIC_SHARED(float, buffer);
  buffer[threadIdx.x + 1] = 1.f;
  __syncthreads();
  out[threadIdx.x] = buffer[threadIdx.x];
}

// Sums of each block by way of dynamic shared memory of any size.
KERNEL_OF(256, block_sums, (float *out, const float *x, int n)) {
  DYNAMIC_SHARED(float, buffer);
  for (int i = threadIdx.x; i < n; i += blockDim.x) buffer[i] = x[blockIdx.x * n + i];
  __syncthreads();
  float s = 0.f;
  for (int i = threadIdx.x; i < n; i += blockDim.x) s += buffer[n - 1 - i];
  SHARED(float, parts, [32]);
  s = block_sum(s, parts);
  if (threadIdx.x == 0) out[blockIdx.x] = s;
}

// Copies 16 bytes a thread asynchronously, and waits for them or not.
KERNEL(copies, (float4 *out, const float4 *x, int wait)) {
  SHARED(float4, tile, [64]);
  copy_async_16(&tile[threadIdx.x], x + threadIdx.x, threadIdx.x != 5);
  copy_async_commit();
  if (wait) copy_async_wait<0>();
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x ^ 1];
}

// c[16,8] = a[16,k]·b[k,8] of one warp in bfloat16, with ldmatrix; b is [k,8] and read transposed.
KERNEL(product_bf16, (float *c, const bf16 *a, const bf16 *b, int k)) {
  SHARED(bf16, as, [16 * 16]);
  SHARED(bf16, bs, [16 * 8]);
  int l = threadIdx.x;
  float acc[4] = {0.f, 0.f, 0.f, 0.f};
  for (int k0 = 0; k0 < k; k0 += 16) {
    for (int i = l; i < 16 * 16; i += 32) as[i] = a[i / 16 * k + k0 + i % 16];
    for (int i = l; i < 16 * 8; i += 32) bs[i] = b[k0 * 8 + i];
    __syncwarp();
    uint32_t fa[4], fb[2];
    load_matrix_4(fa, as + (l % 16) * 16 + l / 16 * 8);
    load_matrix_2_transposed(fb, bs + (l % 16) * 8);
    mma_bf16(acc, fa, fb);
    __syncwarp();
  }
  int g = l / 4, t = l % 4;
  for (int i = 0; i < 4; i++) c[(g + (i >> 1) * 8) * 8 + 2 * t + (i & 1)] = acc[i];
}

// The same in TensorFloat-32.
KERNEL(product_tf32, (float *c, const float *a, const float *b, int k)) {
  int l = threadIdx.x, g = l / 4, t = l % 4;
  float acc[4] = {0.f, 0.f, 0.f, 0.f};
  for (int k0 = 0; k0 < k; k0 += 8) {
    uint32_t fa[4], fb[2];
    for (int i = 0; i < 4; i++) fa[i] = to_tf32(a[(g + (i & 1) * 8) * k + k0 + t + (i >> 1) * 4]);
    for (int i = 0; i < 2; i++) fb[i] = to_tf32(b[(k0 + t + i * 4) * 8 + g]);
    mma_tf32(acc, fa, fb);
  }
  for (int i = 0; i < 4; i++) c[(g + (i >> 1) * 8) * 8 + 2 * t + (i & 1)] = acc[i];
}

// What a warp knows of its lanes, 8 words each.
KERNEL(warps, (int *out)) {
  int i = threadIdx.x, l = i & 31;
  out[8 * i + 0] = (int)__ballot_sync(ALL_LANES, l % 3 == 0);
  out[8 * i + 1] = __any_sync(ALL_LANES, l == 7);
  out[8 * i + 2] = __all_sync(ALL_LANES, l < 31);
  out[8 * i + 3] = __reduce_add_sync(ALL_LANES, l);
  out[8 * i + 4] = __reduce_max_sync(ALL_LANES, -l);
  out[8 * i + 5] = __shfl_up_sync(ALL_LANES, l, 3);
  out[8 * i + 6] = __shfl_down_sync(ALL_LANES, l, 3, 8);
  out[8 * i + 7] = __syncthreads_count(i % 2);
}

// Counts by atomics.
KERNEL(histogram, (int *counts, const int *x, int n)) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&counts[x[i]], 1);
}
