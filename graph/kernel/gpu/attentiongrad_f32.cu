// Attention's gradients in float32. With P the probabilities and A = dy·vᵀ,
//
//   dS = P ⊙ (A − rowsum(P ⊙ A));  dq = Scale·dS·k;  dk = Scale·dSᵀ·q;  dv = Pᵀ·dy
//
// One kernel takes blocks of queries: for each row the greatest score, the sum of exponentials and rowsum(P ⊙ A) first, which
// it keeps for the other, then dq. The other takes blocks of keys: dk and dv. Each sum has one place and one order.
#include "attention_f32.cuh"

// Queries are a block's queries, with dy, in shared memory, and what the rows of a thread have.
template <int D> struct Queries {
  typedef Tile<D> T;
  float *qs, *ys, *ks, *vs, *ws;
  float m[T::R], inverse[T::R], mean[T::R];

  __device__ __forceinline__ Queries(float *shared)
      : qs(shared), ys(qs + T::SIZE), ks(ys + T::SIZE), vs(ks + T::SIZE), ws(vs + T::SIZE) {}

  // load reads the keys from j0 on, and their values.
  __device__ __forceinline__ void load(const Attention &a, const Part &p, int col, int j0, int keys) {
    __syncthreads();
    load_tile<D>(ks, a.k + col, p.first + j0, keys, a.width, a.d);
    load_tile<D>(vs, a.v + col, p.first + j0, keys, a.width, a.d);
    __syncthreads();
  }

  // begin reads the queries and finds what the rows have. The last keys are left in shared memory.
  __device__ __forceinline__ void begin(const Attention &a, const Part &p, const Terms &t, const Seen &see, int col,
                                        const float *dy) {
    const int tx = threadIdx.x & 15, ty = threadIdx.x >> 4, queries = min((int)T::B, p.n - p.i);
    load_tile<D>(qs, a.q + col, p.first + p.i, queries, a.width, a.d);
    load_tile<D>(ys, dy + col, p.first + p.i, queries, a.width, a.d);
#pragma unroll
    for (int i = 0; i < T::R; i++) m[i] = MINUS_INFINITY, inverse[i] = 0.f, mean[i] = 0.f;
    for (int j0 = see.lo; j0 < see.hi; j0 += T::B) {
      const int keys = min((int)T::B, see.hi - j0), size = max(keys, queries);
      load(a, p, col, j0, keys);
      float s[T::R][T::R], da[T::R][T::R], e[T::R];
      products<D>(s, qs, ks, a.d, size);
      products<D>(da, ys, vs, a.d, size);
#pragma unroll
      for (int i = 0; i < T::R; i++) {
#pragma unroll
        for (int j = 0; j < T::R; j++) s[i][j] = score(a, t, s[i][j], p.i + ty + 16 * i, j0 + tx + 16 * j, p.n);
        const float fade = row_max(m[i], s[i], e);
        inverse[i] *= fade, mean[i] *= fade;
#pragma unroll
        for (int j = 0; j < T::R; j++)
          if (s[i][j] != MINUS_INFINITY) inverse[i] += e[j], mean[i] = fmaf(e[j], da[i][j], mean[i]);
      }
    }
#pragma unroll
    for (int i = 0; i < T::R; i++) {
      inverse[i] = 1.f / half_sum(inverse[i]);
      mean[i] = half_sum(mean[i]) * inverse[i];
    }
  }

  // gradients fills ws with factor times the scores' gradients for the keys from j0 on, which are in shared memory.
  __device__ __forceinline__ void gradients(const Attention &a, const Part &p, const Terms &t, int j0, int keys, float factor) {
    const int tx = threadIdx.x & 15, ty = threadIdx.x >> 4, size = max(keys, min((int)T::B, p.n - p.i));
    float s[T::R][T::R], da[T::R][T::R];
    products<D>(s, qs, ks, a.d, size);
    products<D>(da, ys, vs, a.d, size);
#pragma unroll
    for (int i = 0; i < T::R; i++)
#pragma unroll
      for (int j = 0; j < T::R; j++) {
        const float x = score(a, t, s[i][j], p.i + ty + 16 * i, j0 + tx + 16 * j, p.n);
        const float g = expf(x - m[i]) * inverse[i] * (da[i][j] - mean[i]) * factor;
        ws[(ty + 16 * i) * T::LW + tx + 16 * j] = x == MINUS_INFINITY ? 0.f : g;
      }
  }
};

// keyGrads [grid.y, rows, keyCount], zeroed before, takes the gradient of the term of relative positions that queries meet.
template <int D>
DEVICE void query_tiles(const Attention &a, const float *dy, float *dq, float *stats, float *keyGrads,
                                               float *shared) {
  typedef Tile<D> T;
  const int tx = threadIdx.x & 15, ty = threadIdx.x >> 4, col = (a.head0 + blockIdx.y) * a.d;
  Part p;
  if (!find_part<T::B>(a, blockIdx.x, p)) return;
  dq += col;
  if (p.none) return store_zeros(dq, p, T::B, a.width, a.d);
  const Terms t = terms(a, p, blockIdx.y);
  const Seen see = seen(a, p, T::B);
  const int queries = min((int)T::B, p.n - p.i);
  Queries<D> q(shared);
  q.begin(a, p, t, see, col, dy);
  const Kept keep = kept(a, p, stats);
  float o[T::R][T::C], one[T::R];
#pragma unroll
  for (int i = 0; i < T::R; i++) {
    one[i] = 1.f;
    const int row = p.i + ty + 16 * i;
    if (tx == 0 && row < p.n) keep.m[row] = q.m[i], keep.inverse[row] = q.inverse[i], keep.mean[row] = q.mean[i];
#pragma unroll
    for (int c = 0; c < T::C; c++) o[i][c] = 0.f;
  }
  if (keyGrads) keyGrads += ((long long)blockIdx.y * a.rows + p.first) * a.keyCount;
  for (int j0 = see.lo; j0 < see.hi; j0 += T::B) {
    const int keys = min((int)T::B, see.hi - j0);
    if (see.hi - see.lo > T::B) q.load(a, p, col, j0, keys);
    q.gradients(a, p, t, j0, keys, a.scale);
    __syncthreads();
    accumulate<D>(o, q.ws, q.ks, keys, queries);
    if (keyGrads)
      for (int r = threadIdx.x >> 5; r < queries; r += TILE_THREADS / 32)
        add_by_row(keyGrads, a.keyCount, a.keyRows, q.ws, T::LW, r, p.i, p.i + r - j0 + a.keyCentre, -1, keys);
  }
  store_rows<D>(dq, o, one, p.first + p.i, queries, a.width, a.d);
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
#pragma unroll
    for (int j = 0; j < T::R; j++) {
      const int query = i0 + tx + 16 * j;
      const bool in = query < p.n;
      const float m = in ? keep.m[query] : 0.f, inverse = in ? keep.inverse[query] : 0.f, mean = in ? keep.mean[query] : 0.f;
#pragma unroll
      for (int i = 0; i < T::R; i++) {
        const float x = score(a, t, s[i][j], query, p.i + ty + 16 * i, p.n);
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

// partial [grid.x, grid.y, distances] takes each block's part of the bias's gradient. A distance key − query is a diagonal of
// the tile: one thread adds it up, in the order of the rows.
template <int D>
DEVICE void bias_tiles(const Attention &a, const float *dy, float *partial, int distances, float *shared) {
  typedef Tile<D> T;
  const int col = (a.head0 + blockIdx.y) * a.d;
  partial += ((long long)blockIdx.x * gridDim.y + blockIdx.y) * distances;
  for (int at = threadIdx.x; at < distances; at += TILE_THREADS) partial[at] = 0.f;
  Part p;
  if (!find_part<T::B>(a, blockIdx.x, p) || p.none) return;
  const Terms t = terms(a, p, blockIdx.y);
  const Seen see = seen(a, p, T::B);
  const int queries = min((int)T::B, p.n - p.i);
  Queries<D> q(shared);
  q.begin(a, p, t, see, col, dy);
  for (int j0 = see.lo; j0 < see.hi; j0 += T::B) {
    const int keys = min((int)T::B, see.hi - j0);
    if (see.hi - see.lo > T::B) q.load(a, p, col, j0, keys);
    q.gradients(a, p, t, j0, keys, 1.f);
    __syncthreads();
    for (int at = threadIdx.x; at < queries + keys - 1; at += TILE_THREADS) {
      const int diagonal = at - (queries - 1); // column − row
      float sum = 0.f;
      for (int r = max(0, -diagonal); r < min(queries, keys - diagonal); r++) sum += q.ws[r * T::LW + r + diagonal];
      partial[j0 - p.i + diagonal + a.biasCentre] += sum;
    }
    __syncthreads();
  }
}

#define ATTENTION_GRAD_F32(D)                                                                               \
  KERNEL_OF(TILE_THREADS, attention_grad_query_f32_##D,                                                     \
            (ATTENTION_PARAMS, const float *dy, float *dq, float *stats, float *keyGrads)) {                \
    DYNAMIC_SHARED(float, shared);                                                                          \
    query_tiles<D>(ATTENTION_ARGS, dy, dq, stats, keyGrads, shared);                                     \
  }                                                                                                         \
  KERNEL_OF(TILE_THREADS, attention_grad_key_f32_##D,                                                       \
            (ATTENTION_PARAMS, const float *dy, float *dk, float *dv, float *stats, float *queryGrads)) {   \
    DYNAMIC_SHARED(float, shared);                                                                          \
    key_tiles<D>(ATTENTION_ARGS, dy, dk, dv, stats, queryGrads, shared);                                 \
  }                                                                                                         \
  KERNEL_OF(TILE_THREADS, attention_grad_bias_f32_##D,                                                      \
            (ATTENTION_PARAMS, const float *dy, float *partial, int distances)) {                           \
    DYNAMIC_SHARED(float, shared);                                                                          \
    bias_tiles<D>(ATTENTION_ARGS, dy, partial, distances, shared);                                       \
  }

ATTENTION_GRAD_F32(32)
ATTENTION_GRAD_F32(64)
ATTENTION_GRAD_F32(128)
ATTENTION_GRAD_F32(256)

// attention_sum_bias adds up the blocks' parts: partial [slots, count, distances] into columns head0 to head0+count−1 of
// out [distances, heads].
KERNEL(attention_sum_bias, (const float *partial, float *out, int slots, int count, int distances, int heads, int head0)) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count * distances) return;
  float sum = 0.f;
  for (int s = 0; s < slots; s++) sum += partial[(long long)s * count * distances + at];
  out[(long long)(at % distances) * heads + head0 + at / distances] = sum;
}

// inside_rows copies the rows of x [rows, width] that belong to sequences, and puts zeros in place of the others.
KERNEL(inside_rows, (float *out, const float *x, const int *bounds, int sequences, int width)) {
  const int row = blockIdx.x;
  const bool in = row >= bounds[0] && row < bounds[sequences];
  for (int c = threadIdx.x; c < width; c += blockDim.x) {
    const long long at = (long long)row * width + c;
    out[at] = in ? x[at] : 0.f;
  }
}
