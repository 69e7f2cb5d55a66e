// Attention's forward pass on tensor cores.
#pragma once
#include "attention_bf16.cuh"

template <int D> DEVICE void attention_warps(const Attention &a, float *out, bf16 *shared) {
  typedef Warps<D> W;
  bf16 *ks = shared, *vs = ks + W::SIZE;
  const int warp = threadIdx.x >> 5, col = (a.head0 + blockIdx.y) * a.d;
  Part p;
  if (!find_part<WARPS_B>(a, blockIdx.x, p)) return;
  out += col;
  if (p.none) return store_zeros(out, p, WARPS_B, a.width, a.d);
  const Terms t = terms(a, p, blockIdx.y);
  const Seen see = seen(a, p, WARPS_B);
  const int queries = min(WARPS_B, p.n - p.i), row = warp * 16;
  load_warps<D>(ks, a.q + col, p.first + p.i, queries, a.width, a.d);
  __syncthreads();
  uint32_t x[W::K][4];
  if (row < queries) {
#pragma unroll
    for (int k = 0; k < W::K; k++) left<D>(x[k], ks, row, k * 16);
  }
  Softmax soft = {{MINUS_INFINITY, MINUS_INFINITY}, {0.f, 0.f}};
  float o[W::N][4];
  clear(o);
  for (int j0 = see.lo; j0 < see.hi; j0 += WARPS_B) {
    const int keys = min(WARPS_B, see.hi - j0);
    __syncthreads();
    load_warps<D>(ks, a.k + col, p.first + j0, keys, a.width, a.d);
    load_warps<D>(vs, a.v + col, p.first + j0, keys, a.width, a.d);
    __syncthreads();
    if (row >= queries) continue;
#pragma unroll 1
    for (int sub = 0; sub < keys; sub += 32) {
      float s[4][4], fade[2];
      row_products<D, 4>(s, x, ks, sub);
      warp_scores<4, false>(s, a, t, p.i + row, j0 + sub);
      soft.raise(s, fade);
#pragma unroll
      for (int n = 0; n < W::N; n++) o[n][0] *= fade[0], o[n][1] *= fade[0], o[n][2] *= fade[1], o[n][3] *= fade[1];
      accumulate_warps<D, 4>(o, s, vs, sub);
    }
  }
  if (row >= queries) return;
  const float upper = 1.f / quad_sum(soft.l[0]), lower = 1.f / quad_sum(soft.l[1]);
  store_warps<D>(out, o, upper, lower, p.first + p.i + row, queries - row, a.width, a.d);
}

#define ATTENTION_BF16(D)                                                              \
  KERNEL_OF(WARPS_THREADS, attention_bf16_##D, (ATTENTION_PARAMS, float *out)) {       \
    DYNAMIC_SHARED(bf16, shared);                                                      \
    attention_warps<D>(ATTENTION_ARGS, out, shared);                                   \
  }
