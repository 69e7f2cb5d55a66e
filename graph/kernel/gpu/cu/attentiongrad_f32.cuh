// Attention's gradients in float32. With P the probabilities and A = dy·vᵀ,
//
//   dS = P ⊙ (A − rowsum(P ⊙ A));  dq = Scale·dS·k;  dk = Scale·dSᵀ·q;  dv = Pᵀ·dy
//
// One kernel takes blocks of queries: for each row the greatest score, the sum of exponentials and rowsum(P ⊙ A) first, which
// it keeps for the other, then dq. The other takes blocks of keys: dk and dv. Each sum has one place and one order.
#pragma once
#include "attention_f32.cuh"

// query_tiles writes dq; where partial is there it takes, instead, the block's part of the bias's gradient: [grid.x, grid.y,
// distances], a diagonal of a tile by one thread, in the order of the rows. keyGrads [grid.y, rows, keyCount], zeroed before,
// takes the gradient of the term of relative positions that queries meet.
template <int D>
DEVICE void query_tiles(const Attention &a, const float *dy, float *dq, float *stats, float *keyGrads, float *partial,
                        int distances, float *shared) {
  typedef Tile<D> T;
  float *qs = shared, *ys = qs + T::SIZE, *ks = ys + T::SIZE, *vs = ks + T::SIZE, *ws = vs + T::SIZE;
  const int tx = threadIdx.x & 15, ty = threadIdx.x >> 4, col = (a.head0 + blockIdx.y) * a.d;
  if (partial) {
    partial += ((int64_t)blockIdx.x * gridDim.y + blockIdx.y) * distances;
    for (int at = threadIdx.x; at < distances; at += TILE_THREADS) partial[at] = 0.f;
  }
  Part p;
  if (!find_part<T::B>(a, blockIdx.x, p)) return;
  if (p.none) {
    if (!partial) store_zeros(dq + col, p, T::B, a.width, a.d);
    return;
  }
  const Terms t = terms(a, p, blockIdx.y);
  const Seen see = seen(a, p, T::B);
  const int queries = min((int)T::B, p.n - p.i), tiles = (see.hi - see.lo + T::B - 1) / T::B;
  if (keyGrads) keyGrads += ((int64_t)blockIdx.y * a.rows + p.first) * a.keyCount;
  load_tile<D>(qs, a.q + col, p.first + p.i, queries, a.width, a.d);
  load_tile<D>(ys, dy + col, p.first + p.i, queries, a.width, a.d);
  float m[T::R], inverse[T::R], mean[T::R], o[T::R][T::C];
#pragma unroll
  for (int i = 0; i < T::R; i++) {
    m[i] = MINUS_INFINITY, inverse[i] = mean[i] = 0.f;
#pragma unroll
    for (int c = 0; c < T::C; c++) o[i][c] = 0.f;
  }
  // The first round over the keys finds what the rows have, the second the gradients. A single tile is read once.
#pragma unroll 1
  for (int round = 0; round < 2 * tiles; round++) {
    const int j0 = see.lo + round % tiles * T::B, keys = min((int)T::B, see.hi - j0), size = max(keys, queries);
    __syncthreads();
    if (round < tiles || tiles > 1) {
      load_tile<D>(ks, a.k + col, p.first + j0, keys, a.width, a.d);
      load_tile<D>(vs, a.v + col, p.first + j0, keys, a.width, a.d);
      __syncthreads();
    }
    float s[T::R][T::R], da[T::R][T::R];
    products<D>(s, qs, ks, a.d, size);
    products<D>(da, ys, vs, a.d, size);
    tile_scores<T::R, false>(s, a, t, p.i, j0);
    if (round < tiles) {
#pragma unroll
      for (int i = 0; i < T::R; i++) {
        float e[T::R];
        const float fade = row_max(m[i], s[i], e);
        inverse[i] *= fade, mean[i] *= fade;
#pragma unroll
        for (int j = 0; j < T::R; j++)
          if (s[i][j] != MINUS_INFINITY) inverse[i] += e[j], mean[i] = fmaf(e[j], da[i][j], mean[i]);
      }
      if (round < tiles - 1) continue;
#pragma unroll
      for (int i = 0; i < T::R; i++) {
        inverse[i] = 1.f / half_sum(inverse[i]);
        mean[i] = half_sum(mean[i]) * inverse[i];
      }
      continue;
    }
    const float factor = partial ? 1.f : a.scale;
#pragma unroll
    for (int i = 0; i < T::R; i++)
#pragma unroll
      for (int j = 0; j < T::R; j++) {
        const float g = expf(s[i][j] - m[i]) * inverse[i] * (da[i][j] - mean[i]) * factor;
        ws[(ty + 16 * i) * T::LW + tx + 16 * j] = s[i][j] == MINUS_INFINITY ? 0.f : g;
      }
    __syncthreads();
    if (partial) {
      for (int at = threadIdx.x; at < queries + keys - 1; at += TILE_THREADS) {
        const int diagonal = at - (queries - 1); // column − row
        float sum = 0.f;
        for (int r = max(0, -diagonal); r < min(queries, keys - diagonal); r++) sum += ws[r * T::LW + r + diagonal];
        partial[j0 - p.i + diagonal + a.biasCentre] += sum;
      }
      continue;
    }
    accumulate<D>(o, ws, ks, keys, queries);
    if (keyGrads)
      for (int r = threadIdx.x >> 5; r < queries; r += TILE_THREADS / 32)
        add_by_row(keyGrads, a.keyCount, a.keyRows, ws, T::LW, r, p.i, p.i + r - j0 + a.keyCentre, -1, keys);
  }
  if (partial) return;
  const Kept keep = kept(a, p, stats);
  float one[T::R];
#pragma unroll
  for (int i = 0; i < T::R; i++) {
    one[i] = 1.f;
    const int row = p.i + ty + 16 * i;
    if (tx == 0 && row < p.n) keep.m[row] = m[i], keep.inverse[row] = inverse[i], keep.mean[row] = mean[i];
  }
  store_rows<D>(dq + col, o, one, p.first + p.i, queries, a.width, a.d);
}

// queryGrads [grid.y, rows, queryCount], zeroed before, takes the gradient of the term that keys meet.
template <int D>
DEVICE void key_tiles(const Attention &a, const float *dy, float *dk, float *dv, float *stats,
                                             float *queryGrads, float *shared) {
  typedef Tile<D> T;
  float *ks = shared, *vs = ks + T::SIZE, *qs = vs + T::SIZE, *ys = qs + T::SIZE, *ws = ys + T::SIZE;
  const int tx = threadIdx.x & 15, ty = threadIdx.x >> 4, col = (a.head0 + blockIdx.y) * a.d;
  Part p;
  if (!find_part<T::B>(a, blockIdx.x, p)) return;
  dk += col, dv += col;
  if (p.none) {
    store_zeros(dk, p, T::B, a.width, a.d);
    return store_zeros(dv, p, T::B, a.width, a.d);
  }
  const Terms t = terms(a, p, blockIdx.y);
  const Seen see = seen(a, p, T::B);
  const Kept keep = kept(a, p, stats);
  const int keys = min((int)T::B, p.n - p.i);
  load_tile<D>(ks, a.k + col, p.first + p.i, keys, a.width, a.d);
  load_tile<D>(vs, a.v + col, p.first + p.i, keys, a.width, a.d);
  if (queryGrads) queryGrads += ((long long)blockIdx.y * a.rows + p.first) * a.queryCount;
  float ok[T::R][T::C], ov[T::R][T::C], one[T::R];
#pragma unroll
  for (int i = 0; i < T::R; i++) {
    one[i] = 1.f;
#pragma unroll
    for (int c = 0; c < T::C; c++) ok[i][c] = ov[i][c] = 0.f;
  }
  for (int i0 = see.lo; i0 < see.hi; i0 += T::B) {
    const int queries = min((int)T::B, see.hi - i0), size = max(keys, queries);
    __syncthreads();
    load_tile<D>(qs, a.q + col, p.first + i0, queries, a.width, a.d);
    load_tile<D>(ys, dy + col, p.first + i0, queries, a.width, a.d);
    __syncthreads();
    float s[T::R][T::R], da[T::R][T::R];
    products<D>(s, ks, qs, a.d, size);
    products<D>(da, vs, ys, a.d, size);
    tile_scores<T::R, true>(s, a, t, p.i, i0);
#pragma unroll
    for (int j = 0; j < T::R; j++) {
      const int query = i0 + tx + 16 * j;
      const bool in = query < p.n;
      const float m = in ? keep.m[query] : 0.f, inverse = in ? keep.inverse[query] : 0.f, mean = in ? keep.mean[query] : 0.f;
#pragma unroll
      for (int i = 0; i < T::R; i++) {
        const float x = s[i][j];
        const float probability = x == MINUS_INFINITY ? 0.f : expf(x - m) * inverse;
        ws[(ty + 16 * i) * T::LW + tx + 16 * j] = probability;
        da[i][j] = x == MINUS_INFINITY ? 0.f : probability * (da[i][j] - mean) * a.scale;
      }
    }
    __syncthreads();
    accumulate<D>(ov, ws, ys, queries, keys);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < T::R; i++)
#pragma unroll
      for (int j = 0; j < T::R; j++) ws[(ty + 16 * i) * T::LW + tx + 16 * j] = da[i][j];
    __syncthreads();
    accumulate<D>(ok, ws, qs, queries, keys);
    if (queryGrads)
      for (int r = threadIdx.x >> 5; r < keys; r += TILE_THREADS / 32)
        add_by_row(queryGrads, a.queryCount, a.queryRows, ws, T::LW, r, p.i, i0 - p.i - r + a.queryCentre, 1, queries);
  }
  store_rows<D>(dk, ok, one, p.first + p.i, keys, a.width, a.d);
  store_rows<D>(dv, ov, one, p.first + p.i, keys, a.width, a.d);
}

#define ATTENTION_GRAD_F32(D)                                                                                 \
  KERNEL_OF(TILE_THREADS, attention_grad_query_f32_##D,                                                       \
            (ATTENTION_PARAMS, const float *dy, float *dq, float *stats, float *keyGrads, float *partial,     \
             int distances)) {                                                                                \
    DYNAMIC_SHARED(float, shared);                                                                            \
    query_tiles<D>(ATTENTION_ARGS, dy, dq, stats, keyGrads, partial, distances, shared);                      \
  }                                                                                                           \
  KERNEL_OF(TILE_THREADS, attention_grad_key_f32_##D,                                                         \
            (ATTENTION_PARAMS, const float *dy, float *dk, float *dv, float *stats, float *queryGrads)) {     \
    DYNAMIC_SHARED(float, shared);                                                                            \
    key_tiles<D>(ATTENTION_ARGS, dy, dk, dv, stats, queryGrads, shared);                                      \
  }
