// What every kernel file includes: how a kernel and its shared memory are declared, bfloat16, warps' sums, asynchronous
// copies and tensor cores. The same source is compiled by NVRTC for a GPU and, with GRAFT_EMULATED, by a C++ compiler
// for the processor (emulated.hpp). No header of NVIDIA's is needed. Arguments have at most 8 bytes.
//
//   KERNEL(name, (parameters)) { body }          a kernel
//   KERNEL_OF(threads, name, (parameters)) {}    one for blocks of at most so many threads
//   SHARED(float, tile, [32][33]);               an array in shared memory, in a kernel or a device function, not a loop
//   DYNAMIC_SHARED(float, buffer);               float *buffer: the shared memory that the launch asks for
#pragma once

#ifdef GRAFT_EMULATED
#include "emulated.hpp"
#define DEVICE static inline
#else
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef int int32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#define DEVICE __device__ __forceinline__
#define KERNEL(name, params) extern "C" __global__ void name params
#define KERNEL_OF(threads, name, params) extern "C" __global__ void __launch_bounds__(threads) name params
#define SHARED(type, name, dims) __shared__ __align__(16) type name dims
#define DYNAMIC_SHARED(type, name) \
  extern __shared__ __align__(128) unsigned char graft_dynamic[]; \
  type *name = (type *)graft_dynamic
#endif

#define ALL_LANES 0xffffffffu

// ---- bfloat16: the upper half of a float32

typedef uint16_t bf16;

DEVICE float from_bf16(bf16 v) { return __uint_as_float((uint32_t)v << 16); }
DEVICE float low_bf16(uint32_t v) { return __uint_as_float(v << 16); }
DEVICE float high_bf16(uint32_t v) { return __uint_as_float(v & 0xffff0000u); }

// Rounds to the nearest, ties to even.
DEVICE bf16 to_bf16(float f) {
#ifdef GRAFT_EMULATED
  return emu::round_bf16(f);
#else
  bf16 r;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(f));
  return r;
#endif
}

// Two of them in a word, low in the lower half.
DEVICE uint32_t pack_bf16(float low, float high) {
#ifdef GRAFT_EMULATED
  return (uint32_t)emu::round_bf16(low) | (uint32_t)emu::round_bf16(high) << 16;
#else
  uint32_t r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
#endif
}

// Rounds to TensorFloat-32: 10 bits of mantissa, ties away from zero.
DEVICE uint32_t to_tf32(float f) {
#ifdef GRAFT_EMULATED
  return emu::round_tf32(f);
#else
  uint32_t r;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(f));
  return r;
#endif
}

// ---- Warps and blocks

// The sum over the warp, in every lane.
DEVICE float warp_sum(float v) {
  for (int d = 16; d > 0; d >>= 1) v += __shfl_xor_sync(ALL_LANES, v, d);
  return v;
}

// The largest of the warp, in every lane.
DEVICE float warp_max(float v) {
  for (int d = 16; d > 0; d >>= 1) v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, d));
  return v;
}

// The sum over a block of whole warps, in every thread and in the same order each time. parts is shared memory of 32
// floats that the next call may use again.
DEVICE float block_sum(float v, float *parts) {
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  v = warp_sum(v);
  __syncthreads();
  if (lane == 0) parts[warp] = v;
  __syncthreads();
  return warp_sum(lane < warps ? parts[lane] : 0.f);
}

// The largest of a block of whole warps, likewise.
DEVICE float block_max(float v, float *parts) {
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  v = warp_max(v);
  __syncthreads();
  if (lane == 0) parts[warp] = v;
  __syncthreads();
  return warp_max(lane < warps ? parts[lane] : -__int_as_float(0x7f800000));
}

// ---- Asynchronous copies from global to shared memory (compute capability 8.0)

// Copies 16 bytes, both addresses multiples of 16; zeros where valid is false. Seen after commit and wait.
DEVICE void copy_async_16(void *shared, const void *global, bool valid = true) {
#ifdef GRAFT_EMULATED
  emu::copy_async(shared, global, valid);
#else
  uint32_t to = (uint32_t)__cvta_generic_to_shared(shared);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(valid ? 16 : 0) : "memory");
#endif
}

// Ends a group of copies.
DEVICE void copy_async_commit() {
#ifdef GRAFT_EMULATED
  emu::copy_async_commit();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most n of this thread's groups are under way. Other threads see the copies after a barrier.
template <int n> DEVICE void copy_async_wait() {
#ifdef GRAFT_EMULATED
  emu::copy_async_wait(n);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory");
#endif
}

// ---- Tensor cores: all lanes of a warp together (PTX ISA, "Matrix fragments for mma")

// c[16,8] += a[16,16]·b[16,8] in bfloat16 with float32 sums. With g = lane/4 and t = lane%4, a[0..3] hold the pairs of
// columns 2t (+8 for a[2], a[3]) of row g (+8 for a[1], a[3]); b[0..1] those of rows 2t (+8) of column g;
// c[0..3] rows g (+8 for c[2], c[3]), columns 2t and 2t+1.
DEVICE void mma_bf16(float *c, const uint32_t *a, const uint32_t *b) {
#ifdef GRAFT_EMULATED
  emu::mma_bf16(c, a, b);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// c[16,8] += a[16,8]·b[8,8] in TensorFloat-32 (to_tf32). a[0..3] hold column t (+4 for a[2], a[3]) of row g (+8 for
// a[1], a[3]); b[0..1] row t (+4) of column g; c as above.
DEVICE void mma_tf32(float *c, const uint32_t *a, const uint32_t *b) {
#ifdef GRAFT_EMULATED
  emu::mma_tf32(c, a, b);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Loads four 8 x 8 matrices of 16-bit elements from shared memory. Lane l gives the address of row l%8 of matrix l/8
// (a multiple of 16) and receives in r[i] the elements 2(l%4) and 2(l%4)+1 of row l/4 of matrix i.
DEVICE void load_matrix_4(uint32_t *r, const void *row) {
#ifdef GRAFT_EMULATED
  emu::load_matrix(r, row, 4, false);
#else
  uint32_t from = (uint32_t)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(from) : "memory");
#endif
}

// The same of the transposed matrices: r[i] holds rows 2(l%4) and 2(l%4)+1 of column l/4.
DEVICE void load_matrix_4_transposed(uint32_t *r, const void *row) {
#ifdef GRAFT_EMULATED
  emu::load_matrix(r, row, 4, true);
#else
  uint32_t from = (uint32_t)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(from) : "memory");
#endif
}

// Two matrices: lanes 0 to 15 give the addresses.
DEVICE void load_matrix_2(uint32_t *r, const void *row) {
#ifdef GRAFT_EMULATED
  emu::load_matrix(r, row, 2, false);
#else
  uint32_t from = (uint32_t)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[0]), "=r"(r[1]) : "r"(from) : "memory");
#endif
}

DEVICE void load_matrix_2_transposed(uint32_t *r, const void *row) {
#ifdef GRAFT_EMULATED
  emu::load_matrix(r, row, 2, true);
#else
  uint32_t from = (uint32_t)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[0]), "=r"(r[1]) : "r"(from) : "memory");
#endif
}
