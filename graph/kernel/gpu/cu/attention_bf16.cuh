// Attention on tensor cores without the matrix of scores (Dao 2023): operands rounded to bfloat16, sums, softmax and results in
// float32. A block is four warps of sixteen rows each, and takes the other side's rows by tiles of 64.
#pragma once
#include "attention.cuh"

#define WARPS_THREADS 128
#define WARPS_B 64

// Warps are the sizes for heads of up to D columns, D a multiple of 16. Rows in shared memory are 16 bytes longer than D
// elements, so that the rows that one instruction reads lie in different banks.
template <int D> struct Warps {
  enum {
    LD = D + 8,
    SIZE = WARPS_B * LD,  // elements of a tile
    K = D / 16,           // products over the columns
    N = D / 8,            // tiles of eight columns
    LG = 36,              // floats from row to row where a warp lays gradients down, 32 in a row
    SCRATCH = 16 * LG,
  };
};

// load_warps reads d columns of B rows from row number from on, of which rows rows are there, into a tile; what is missing is
// zero, up to a multiple of 32 rows: no more are read.
template <int D> DEVICE void load_warps(bf16 *to, const float *x, int from, int rows, int width, int d) {
  const int all = (rows + 31) / 32 * 32 * (D / 4);
  x += (int64_t)from * width;
  if (aligned16(x, width, d)) {
#pragma unroll 4
    for (int at = threadIdx.x; at < all; at += WARPS_THREADS) {
      const int r = at / (D / 4), c = at % (D / 4) * 4;
      float4 y = make_float4(0.f, 0.f, 0.f, 0.f);
      if (r < rows && c < d) y = *reinterpret_cast<const float4 *>(x + (int64_t)r * width + c);
      *reinterpret_cast<uint2 *>(to + r * Warps<D>::LD + c) = make_uint2(pack_bf16(y.x, y.y), pack_bf16(y.z, y.w));
    }
    return;
  }
#pragma unroll 4
  for (int at = threadIdx.x; at < 4 * all; at += WARPS_THREADS) {
    const int r = at / D, c = at % D;
    to[r * Warps<D>::LD + c] = to_bf16(r < rows && c < d ? x[(int64_t)r * width + c] : 0.f);
  }
}

// left is the 16 × 16 part of a tile from (row, col) on as left operand.
template <int D> DEVICE void left(uint32_t *a, const bf16 *x, int row, int col) {
  const int lane = threadIdx.x & 31;
  load_matrix_4(a, x + (row + (lane & 15)) * Warps<D>::LD + col + (lane >> 4) * 8);
}

// right is the same part as right operand: its columns in two halves of eight.
template <int D> DEVICE void right(uint32_t *b, const bf16 *x, int row, int col) {
  const int lane = threadIdx.x & 31;
  load_matrix_4_transposed(b, x + (row + (lane & 15)) * Warps<D>::LD + col + (lane >> 4) * 8);
}

// right_transposed is the part's transpose as right operand: its rows in two halves of eight.
template <int D> DEVICE void right_transposed(uint32_t *b, const bf16 *x, int row, int col) {
  const int lane = threadIdx.x & 31;
  load_matrix_4(b, x + (row + (lane >> 4) * 8 + (lane & 7)) * Warps<D>::LD + col + (lane >> 3 & 1) * 8);
}

template <int N> DEVICE void clear(float (&s)[N][4]) {
#pragma unroll
  for (int n = 0; n < N; n++) s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0.f;
}

// step adds one k of the products of a left operand with S·8 rows of y from row on.
template <int D, int S> DEVICE void step(float (&s)[S][4], const uint32_t *x, const bf16 *y, int row, int k) {
#pragma unroll
  for (int n = 0; n < S; n += 2) {
    uint32_t b[4];
    right_transposed<D>(b, y, row + n * 8, k * 16);
    mma_bf16(s[n], x, b);
    mma_bf16(s[n + 1], x, b + 2);
  }
}

// row_products are the products of sixteen rows, held as left operands, with S·8 rows of y from row on.
template <int D, int S>
DEVICE void row_products(float (&s)[S][4], const uint32_t (&x)[D / 16][4], const bf16 *y, int row) {
  clear(s);
#pragma unroll
  for (int k = 0; k < D / 16; k++) step<D, S>(s, x[k], y, row, k);
}

// accumulate_warps adds w·x to sums: w [16, S·8] as products leave it, x the S·8 rows of a tile from row on.
template <int D, int S>
DEVICE void accumulate_warps(float (&sums)[D / 8][4], const float (&w)[S][4], const bf16 *x, int row) {
#pragma unroll
  for (int k = 0; k < S / 2; k++) {
    const uint32_t a[4] = {pack_bf16(w[2 * k][0], w[2 * k][1]), pack_bf16(w[2 * k][2], w[2 * k][3]),
                           pack_bf16(w[2 * k + 1][0], w[2 * k + 1][1]), pack_bf16(w[2 * k + 1][2], w[2 * k + 1][3])};
#pragma unroll
    for (int n = 0; n < D / 8; n += 2) {
      uint32_t b[4];
      right<D>(b, x, row + k * 16, n * 8);
      mma_bf16(sums[n], a, b);
      mma_bf16(sums[n + 1], a, b + 2);
    }
  }
}

// store_warps writes the sums of a warp's sixteen rows, of which rows are there, from row number from on; the upper and the
// lower half are multiplied by factors.
template <int D>
DEVICE void store_warps(float *to, const float (&sums)[D / 8][4], float upper, float lower, int from, int rows, int width,
                        int d) {
  const int g = threadIdx.x >> 2 & 7, t = threadIdx.x & 3;
  const bool two = ((uint64_t)to & 7) == 0 && width % 2 == 0 && d % 2 == 0;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    if (g + half * 8 >= rows) continue;
    float *row = to + (int64_t)(from + g + half * 8) * width;
    const float factor = half ? lower : upper;
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
      const int c = n * 8 + t * 2;
      const float x = sums[n][2 * half] * factor, y = sums[n][2 * half + 1] * factor;
      if (two) {
        if (c < d) *reinterpret_cast<float2 *>(row + c) = make_float2(x, y);
      } else {
        if (c < d) row[c] = x;
        if (c + 1 < d) row[c + 1] = y;
      }
    }
  }
}

// quad_sum and quad_max are over the four lanes that hold a row.
DEVICE float quad_sum(float x) {
  x += __shfl_xor_sync(ALL_LANES, x, 1);
  return x + __shfl_xor_sync(ALL_LANES, x, 2);
}
DEVICE float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 1));
  return fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 2));
}

// Softmax is what the two rows of a lane have seen so far: the greatest score and, of this lane's keys, the sum of
// e^(score − m).
struct Softmax {
  float m[2], l[2];

  // raise turns scores into e^(score − m) for a new m, and gives what is to be multiplied by fade before more is added.
  template <int S> __device__ __forceinline__ void raise(float (&s)[S][4], float (&fade)[2]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float greatest = m[half];
#pragma unroll
      for (int n = 0; n < S; n++) greatest = fmaxf(greatest, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
      greatest = quad_max(greatest);
      const float base = greatest == MINUS_INFINITY ? 0.f : greatest;
      fade[half] = __expf(m[half] - base);
      m[half] = greatest;
      l[half] *= fade[half];
#pragma unroll
      for (int n = 0; n < S; n++) {
        s[n][2 * half] = __expf(s[n][2 * half] - base);
        s[n][2 * half + 1] = __expf(s[n][2 * half + 1] - base);
        l[half] += s[n][2 * half] + s[n][2 * half + 1];
      }
    }
  }
};

// warp_scores turns products of sixteen rows from row on with S·8 rows from col on into scores; the rows are keys where
// TRANSPOSED is set, else queries.
template <int S, bool TRANSPOSED>
DEVICE void warp_scores(float (&s)[S][4], const Attention &a, const Terms &t, int row, int col) {
  if (plain(a, t) && row + 16 <= t.n && col + S * 8 <= t.n) {
#pragma unroll
    for (int b = 0; b < S; b++)
#pragma unroll
      for (int e = 0; e < 4; e++) s[b][e] *= a.scale;
    return;
  }
  row += threadIdx.x >> 2 & 7, col += (threadIdx.x & 3) * 2;
#pragma unroll
  for (int k = -1; k < S; k++)
#pragma unroll
    for (int e = 0; e < 2; e++) {
      const int apart = row - col - 8 * k - e;
      const Near x = near_by(a, t, TRANSPOSED ? -apart : apart);
#pragma unroll
      for (int half = 0; half < 2; half++) { // a row eight further down meets the columns eight further on at the same distance
        const int b = k + half;
        if (b < 0 || b >= S) continue;
        const int r = row + 8 * half, c = col + 8 * b + e;
        s[b][2 * half + e] = score(a, t, x, s[b][2 * half + e], TRANSPOSED ? c : r, TRANSPOSED ? r : c);
      }
    }
}
