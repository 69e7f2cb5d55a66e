// Attention's forward pass in float32.
#pragma once
#include "attention_f32.cuh"

// attention_tiles takes B queries of a head over all keys that they see, with the greatest score, the sum of exponentials and
// the weighted sum of v carried from tile to tile (Milakov and Gimelshein 2018).
template <int D> DEVICE void attention_tiles(const Attention &a, float *out, float *shared) {
  typedef Tile<D> T;
  float *qs = shared, *ks = qs + T::SIZE, *ws = ks + T::SIZE;
  const int tx = threadIdx.x & 15, ty = threadIdx.x >> 4, col = (a.head0 + blockIdx.y) * a.d;
  Part p;
  if (!find_part<T::B>(a, blockIdx.x, p)) return;
  out += col;
  if (p.none) return store_zeros(out, p, T::B, a.width, a.d);
  const Terms t = terms(a, p, blockIdx.y);
  const Seen see = seen(a, p, T::B);
  const int queries = min((int)T::B, p.n - p.i);
  load_tile<D>(qs, a.q + col, p.first + p.i, queries, a.width, a.d);
  float m[T::R], l[T::R], o[T::R][T::C];
#pragma unroll
  for (int i = 0; i < T::R; i++) {
    m[i] = MINUS_INFINITY, l[i] = 0.f;
#pragma unroll
    for (int c = 0; c < T::C; c++) o[i][c] = 0.f;
  }
  for (int j0 = see.lo; j0 < see.hi; j0 += T::B) {
    const int keys = min((int)T::B, see.hi - j0), size = max(keys, queries);
    __syncthreads();
    load_tile<D>(ks, a.k + col, p.first + j0, keys, a.width, a.d);
    __syncthreads();
    float s[T::R][T::R], e[T::R];
    products<D>(s, qs, ks, a.d, size);
    tile_scores<T::R, false>(s, a, t, p.i, j0);
#pragma unroll
    for (int i = 0; i < T::R; i++) {
      const float fade = row_max(m[i], s[i], e);
      l[i] *= fade;
#pragma unroll
      for (int j = 0; j < T::R; j++) {
        l[i] += e[j];
        ws[(ty + 16 * i) * T::LW + tx + 16 * j] = e[j];
      }
#pragma unroll
      for (int c = 0; c < T::C; c++) o[i][c] *= fade;
    }
    __syncthreads();
    load_tile<D>(ks, a.v + col, p.first + j0, keys, a.width, a.d);
    __syncthreads();
    accumulate<D>(o, ws, ks, keys, queries);
  }
  float factor[T::R];
#pragma unroll
  for (int i = 0; i < T::R; i++) factor[i] = 1.f / half_sum(l[i]);
  store_rows<D>(out, o, factor, p.first + p.i, queries, a.width, a.d);
}

#define ATTENTION_F32(D)                                                               \
  KERNEL_OF(TILE_THREADS, attention_f32_##D, (ATTENTION_PARAMS, float *out)) {         \
    DYNAMIC_SHARED(float, shared);                                                     \
    attention_tiles<D>(ATTENTION_ARGS, out, shared);                                   \
  }
