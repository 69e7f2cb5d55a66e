// Attention's gradients on tensor cores: the two kernels of attentiongrad_f32.cuh, with P and dS rounded to bfloat16 where they
// are multiplied.
#pragma once
#include "attention_bf16.cuh"

// lay_down writes a warp's 16 × S·8 gradients, times factor, where add_by_row finds them.
template <int S> DEVICE void lay_down(float *to, int ld, const float (&s)[S][4], float factor) {
  const int g = threadIdx.x >> 2 & 7, t = threadIdx.x & 3;
  __syncwarp();
#pragma unroll
  for (int n = 0; n < S; n++) {
    *reinterpret_cast<float2 *>(to + g * ld + n * 8 + t * 2) = make_float2(s[n][0] * factor, s[n][1] * factor);
    *reinterpret_cast<float2 *>(to + (g + 8) * ld + n * 8 + t * 2) = make_float2(s[n][2] * factor, s[n][3] * factor);
  }
  __syncwarp();
}

// keyGrads [grid.y, rows, keyCount], zeroed before, takes the gradient of the term of relative positions that queries meet.
template <int D>
DEVICE void query_warps(const Attention &a, const float *dy, float *dq, float *stats, float *keyGrads, bf16 *shared) {
  typedef Warps<D> W;
  bf16 *ks = shared, *vs = ks + W::SIZE;
  const int warp = threadIdx.x >> 5, col = (a.head0 + blockIdx.y) * a.d, row = warp * 16;
  float *scratch = reinterpret_cast<float *>(vs + W::SIZE) + warp * W::SCRATCH;
  Part p;
  if (!find_part<WARPS_B>(a, blockIdx.x, p)) return;
  dq += col;
  if (p.none) return store_zeros(dq, p, WARPS_B, a.width, a.d);
  const Terms t = terms(a, p, blockIdx.y);
  const Seen see = seen(a, p, WARPS_B);
  const int queries = min(WARPS_B, p.n - p.i);
  load_warps<D>(ks, a.q + col, p.first + p.i, queries, a.width, a.d);
  load_warps<D>(vs, dy + col, p.first + p.i, queries, a.width, a.d);
  __syncthreads();
  uint32_t x[W::K][4], y[W::K][4];
  if (row < queries) {
#pragma unroll
    for (int k = 0; k < W::K; k++) {
      left<D>(x[k], ks, row, k * 16);
      left<D>(y[k], vs, row, k * 16);
    }
  }

  if (keyGrads) keyGrads += ((int64_t)blockIdx.y * a.rows + p.first) * a.keyCount;
  Softmax soft = {{MINUS_INFINITY, MINUS_INFINITY}, {0.f, 0.f}};
  float mean[2] = {0.f, 0.f}, inverse[2] = {0.f, 0.f}, o[W::N][4];
  clear(o);
  const int tiles = (see.hi - see.lo + WARPS_B - 1) / WARPS_B;
  // The first round over the keys finds what the rows have, the second the gradients. A single tile is read once.
#pragma unroll 1
  for (int round = 0; round < 2 * tiles; round++) {
    const int j0 = see.lo + round % tiles * WARPS_B, keys = min(WARPS_B, see.hi - j0);
    if (round == 0 || tiles > 1) {
      __syncthreads();
      load_warps<D>(ks, a.k + col, p.first + j0, keys, a.width, a.d);
      load_warps<D>(vs, a.v + col, p.first + j0, keys, a.width, a.d);
      __syncthreads();
    }
    if (row >= queries) continue;
#pragma unroll 1
    for (int sub = 0; sub < keys; sub += 32) {
      float s[4][4], da[4][4];
      row_products<D, 4>(s, x, ks, sub);
      row_products<D, 4>(da, y, vs, sub);
      warp_scores<4, false>(s, a, t, p.i + row, j0 + sub);
      if (round < tiles) {
        float fade[2];
        soft.raise(s, fade);
#pragma unroll
        for (int half = 0; half < 2; half++) {
          mean[half] *= fade[half];
#pragma unroll
          for (int n = 0; n < 4; n++)
            mean[half] += s[n][2 * half] * da[n][2 * half] + s[n][2 * half + 1] * da[n][2 * half + 1];
        }
        continue;
      }
#pragma unroll
      for (int n = 0; n < 4; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          const float probability = s[n][e] == MINUS_INFINITY ? 0.f : __expf(s[n][e] - soft.m[e >> 1]) * inverse[e >> 1];
          s[n][e] = probability * (da[n][e] - mean[e >> 1]);
        }
      accumulate_warps<D, 4>(o, s, ks, sub);
      if (keyGrads) {
        lay_down(scratch, W::LG, s, a.scale);
#pragma unroll 1
        for (int r = 0; r < min(16, queries - row); r++)
          add_by_row(keyGrads, a.keyCount, a.keyRows, scratch, W::LG, r, p.i + row, p.i + row + r - j0 - sub + a.keyCentre, -1,
                     min(32, keys - sub));
      }
    }
    if (round == tiles - 1) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        inverse[half] = 1.f / quad_sum(soft.l[half]);
        mean[half] = quad_sum(mean[half]) * inverse[half];
      }
    }
  }
  if (row >= queries) return;
  const Kept keep = kept(a, p, stats);
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int at = p.i + row + (threadIdx.x >> 2 & 7) + half * 8;
    if ((threadIdx.x & 3) == 0 && at < p.n)
      keep.m[at] = soft.m[half], keep.inverse[at] = inverse[half], keep.mean[at] = mean[half];
  }
  store_warps<D>(dq, o, a.scale, a.scale, p.first + p.i + row, queries - row, a.width, a.d);
}

// queryGrads [grid.y, rows, queryCount], zeroed before, takes the gradient of the term that keys meet. S·8 queries are taken
// at a time: what fits the registers beside the sums.
template <int D, int S>
DEVICE void key_warps(const Attention &a, const float *dy, float *dk, float *dv, float *stats, float *queryGrads,
                      bf16 *shared) {
  typedef Warps<D> W;
  bf16 *ks = shared, *vs = ks + W::SIZE, *qs = vs + W::SIZE, *ys = qs + W::SIZE;
  float *rows = reinterpret_cast<float *>(ys + W::SIZE); // of the queries: the greatest score, 1/sum, mean
  const int warp = threadIdx.x >> 5, col = (a.head0 + blockIdx.y) * a.d, row = warp * 16, pair = (threadIdx.x & 3) * 2;
  float *scratch = rows + 3 * WARPS_B + warp * W::SCRATCH;
  Part p;
  if (!find_part<WARPS_B>(a, blockIdx.x, p)) return;
  dk += col, dv += col;
  if (p.none) {
    store_zeros(dk, p, WARPS_B, a.width, a.d);
    return store_zeros(dv, p, WARPS_B, a.width, a.d);
  }
  const Terms t = terms(a, p, blockIdx.y);
  const Seen see = seen(a, p, WARPS_B);
  const Kept keep = kept(a, p, stats);
  const int keys = min(WARPS_B, p.n - p.i);
  load_warps<D>(ks, a.k + col, p.first + p.i, keys, a.width, a.d);
  load_warps<D>(vs, a.v + col, p.first + p.i, keys, a.width, a.d);
  if (queryGrads) queryGrads += ((int64_t)blockIdx.y * a.rows + p.first) * a.queryCount;
  float ok[W::N][4], ov[W::N][4];
  clear(ok);
  clear(ov);
  for (int i0 = see.lo; i0 < see.hi; i0 += WARPS_B) {
    const int queries = min(WARPS_B, see.hi - i0);
    __syncthreads();
    load_warps<D>(qs, a.q + col, p.first + i0, queries, a.width, a.d);
    load_warps<D>(ys, dy + col, p.first + i0, queries, a.width, a.d);
    for (int at = threadIdx.x; at < WARPS_B; at += WARPS_THREADS) {
      rows[at] = at < queries ? keep.m[i0 + at] : 0.f;
      rows[WARPS_B + at] = at < queries ? keep.inverse[i0 + at] : 0.f;
      rows[2 * WARPS_B + at] = at < queries ? keep.mean[i0 + at] : 0.f;
    }
    __syncthreads();
    if (row >= keys) continue;
#pragma unroll 1
    for (int sub = 0; sub < queries; sub += S * 8) {
      float s[S][4], da[S][4];
      clear(s);
      clear(da);
#pragma unroll
      for (int k = 0; k < W::K; k++) {
        uint32_t x[4];
        left<D>(x, ks, row, k * 16);
        step<D, S>(s, x, qs, sub, k);
        left<D>(x, vs, row, k * 16);
        step<D, S>(da, x, ys, sub, k);
      }
      warp_scores<S, true>(s, a, t, p.i + row, i0 + sub);
#pragma unroll
      for (int n = 0; n < S; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          const float *query = rows + sub + n * 8 + pair + (e & 1);
          s[n][e] = s[n][e] == MINUS_INFINITY ? 0.f : __expf(s[n][e] - query[0]) * query[WARPS_B];
          da[n][e] = s[n][e] * (da[n][e] - query[2 * WARPS_B]);
        }
      accumulate_warps<D, S>(ov, s, ys, sub);
      accumulate_warps<D, S>(ok, da, qs, sub);
      if (queryGrads) {
        lay_down(scratch, W::LG, da, a.scale);
#pragma unroll 1
        for (int r = 0; r < min(16, keys - row); r++)
          add_by_row(queryGrads, a.queryCount, a.queryRows, scratch, W::LG, r, p.i + row,
                     i0 + sub - p.i - row - r + a.queryCentre, 1, min(S * 8, queries - sub));
      }
    }
  }
  if (row >= keys) return;
  store_warps<D>(dk, ok, a.scale, a.scale, p.first + p.i + row, keys - row, a.width, a.d);
  store_warps<D>(dv, ov, 1.f, 1.f, p.first + p.i + row, keys - row, a.width, a.d);
}

#define ATTENTION_GRAD_BF16(D, S)                                                                            \
  KERNEL_OF(WARPS_THREADS, attention_grad_query_bf16_##D,                                                    \
            (ATTENTION_PARAMS, const float *dy, float *dq, float *stats, float *keyGrads)) {                 \
    DYNAMIC_SHARED(bf16, shared);                                                                            \
    query_warps<D>(ATTENTION_ARGS, dy, dq, stats, keyGrads, shared);                                      \
  }                                                                                                          \
  KERNEL_OF(WARPS_THREADS, attention_grad_key_bf16_##D,                                                      \
            (ATTENTION_PARAMS, const float *dy, float *dk, float *dv, float *stats, float *queryGrads)) {    \
    DYNAMIC_SHARED(bf16, shared);                                                                            \
    key_warps<D, S>(ATTENTION_ARGS, dy, dk, dv, stats, queryGrads, shared);                               \
  }
