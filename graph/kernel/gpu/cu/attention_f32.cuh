// Attention in float32 without the matrix of scores (Dao 2023): tiles of B queries by B keys, by a block of 256 threads as 16
// by 16, each of which holds the elements (ty + 16·i, tx + 16·j) of a tile of scores.
#pragma once
#include "attention.cuh"

// Tile are the sizes for heads of up to D columns. Rows in shared memory are four floats longer than D or B, which keeps reads
// of 16 bytes by neighbouring rows in different banks.
template <int D> struct Tile {
  enum {
    B = D <= 64 ? 64 : D <= 128 ? 32 : 16,
    R = B / 16,              // rows of a thread
    V = D / 16 < 4 ? D / 16 : 4,  // adjacent columns of a thread
    C = D / 16,              // columns of a thread
    LD = D + 4,
    LW = B + 4,
    SIZE = B * LD,
    WEIGHTS = B * LW,
  };
};

#define TILE_THREADS 256

// load_tile reads d columns of B rows from row number from on, of which rows rows are there, into a tile; the rest is zero.
template <int D> DEVICE void load_tile(float *to, const float *x, int from, int rows, int width, int d) {
  x += (int64_t)from * width;
  if (aligned16(x, width, d)) {
#pragma unroll
    for (int i = 0; i < Tile<D>::B * D / 4 / TILE_THREADS; i++) {
      const int at = threadIdx.x + i * TILE_THREADS;
      const int r = at / (D / 4), c = at % (D / 4) * 4;
      float4 y = make_float4(0.f, 0.f, 0.f, 0.f);
      if (r < rows && c < d) y = *reinterpret_cast<const float4 *>(x + (int64_t)r * width + c);
      *reinterpret_cast<float4 *>(to + r * Tile<D>::LD + c) = y;
    }
    return;
  }
#pragma unroll 4
  for (int at = threadIdx.x; at < Tile<D>::B * D; at += TILE_THREADS) {
    const int r = at / D, c = at % D;
    to[r * Tile<D>::LD + c] = r < rows && c < d ? x[(int64_t)r * width + c] : 0.f;
  }
}

// products computes a thread's elements of x·yᵀ, for the first N·16 rows of both tiles.
template <int D, int N>
DEVICE void products_of(float (&s)[Tile<D>::R][Tile<D>::R], const float *x, const float *y, int d) {
  const int tx = threadIdx.x & 15, ty = threadIdx.x >> 4;
#pragma unroll
  for (int i = 0; i < N; i++)
#pragma unroll
    for (int j = 0; j < N; j++) s[i][j] = 0.f;
#pragma unroll 1
  for (int c = 0; c < d; c += 4) {
    float4 a[N], b[N];
#pragma unroll
    for (int i = 0; i < N; i++) {
      a[i] = *reinterpret_cast<const float4 *>(x + (ty + 16 * i) * Tile<D>::LD + c);
      b[i] = *reinterpret_cast<const float4 *>(y + (tx + 16 * i) * Tile<D>::LD + c);
    }
#pragma unroll
    for (int i = 0; i < N; i++)
#pragma unroll
      for (int j = 0; j < N; j++) {
        float sum = s[i][j];
        sum = fmaf(a[i].x, b[j].x, sum);
        sum = fmaf(a[i].y, b[j].y, sum);
        sum = fmaf(a[i].z, b[j].z, sum);
        s[i][j] = fmaf(a[i].w, b[j].w, sum);
      }
  }
}

// products leaves out what lies beyond the first sixteen rows of both tiles where size is not more: sequences are often short.
template <int D>
DEVICE void products(float (&s)[Tile<D>::R][Tile<D>::R], const float *x, const float *y, int d, int size) {
  if (size <= 16) products_of<D, 1>(s, x, y, d);
  else products_of<D, Tile<D>::R>(s, x, y, d);
}

// accumulate adds a thread's elements of w·x to sums: w has a row for each of the tile's first N·16 rows and a column for each
// of the keys rows of x.
template <int D, int N>
DEVICE void accumulate_of(float (&sums)[Tile<D>::R][Tile<D>::C], const float *w, const float *x, int keys) {
  const int tx = threadIdx.x & 15, ty = threadIdx.x >> 4;
#pragma unroll 1
  for (int c = 0; c < keys; c += 4) {
    float a[N][4];
#pragma unroll
    for (int i = 0; i < N; i++) {
      const float4 y = *reinterpret_cast<const float4 *>(w + (ty + 16 * i) * Tile<D>::LW + c);
      a[i][0] = y.x, a[i][1] = y.y, a[i][2] = y.z, a[i][3] = y.w;
    }
#pragma unroll
    for (int e = 0; e < 4; e++)
#pragma unroll
      for (int q = 0; q < Tile<D>::C; q += Tile<D>::V) {
        const float *p = x + (c + e) * Tile<D>::LD + q * 16 + tx * Tile<D>::V;
        float y[Tile<D>::V];
        if (Tile<D>::V == 4) {
          const float4 four = *reinterpret_cast<const float4 *>(p);
          y[0] = four.x, y[1 % Tile<D>::V] = four.y, y[2 % Tile<D>::V] = four.z, y[3 % Tile<D>::V] = four.w;
        } else {
#pragma unroll
          for (int z = 0; z < Tile<D>::V; z++) y[z] = p[z];
        }
#pragma unroll
        for (int z = 0; z < Tile<D>::V; z++)
#pragma unroll
          for (int i = 0; i < N; i++) sums[i][q + z] = fmaf(a[i][e], y[z], sums[i][q + z]);
      }
  }
}

template <int D>
DEVICE void accumulate(float (&sums)[Tile<D>::R][Tile<D>::C], const float *w, const float *x, int keys, int size) {
  if (size <= 16) accumulate_of<D, 1>(sums, w, x, keys);
  else accumulate_of<D, Tile<D>::R>(sums, w, x, keys);
}

// store_rows writes a thread's sums of rows rows, each times its factor.
template <int D>
DEVICE void store_rows(float *to, const float (&sums)[Tile<D>::R][Tile<D>::C], const float (&factor)[Tile<D>::R],
                                           int from, int rows, int width, int d) {
  const int tx = threadIdx.x & 15, ty = threadIdx.x >> 4;
  const bool four = aligned16(to, width, d);
#pragma unroll
  for (int i = 0; i < Tile<D>::R; i++) {
    if (ty + 16 * i >= rows) continue;
    float *row = to + (int64_t)(from + ty + 16 * i) * width;
#pragma unroll
    for (int q = 0; q < Tile<D>::C; q += Tile<D>::V) {
      const int c = q * 16 + tx * Tile<D>::V;
      if (Tile<D>::V == 4 && four) {
        if (c < d)
          *reinterpret_cast<float4 *>(row + c) = make_float4(sums[i][q] * factor[i], sums[i][q + 1 % Tile<D>::V] * factor[i],
                                                            sums[i][q + 2 % Tile<D>::V] * factor[i],
                                                            sums[i][q + 3 % Tile<D>::V] * factor[i]);
        continue;
      }
#pragma unroll
      for (int z = 0; z < Tile<D>::V; z++)
        if (c + z < d) row[c + z] = sums[i][q + z] * factor[i];
    }
  }
}

// tile_scores turns products of rows from row on with rows from col on into scores; the rows are keys where TRANSPOSED is
// set, else queries. Elements on a diagonal share what goes by the distance.
template <int R, bool TRANSPOSED>
DEVICE void tile_scores(float (&s)[R][R], const Attention &a, const Terms &t, int row, int col) {
  if (plain(a, t) && row + R * 16 <= t.n && col + R * 16 <= t.n) {
#pragma unroll
    for (int i = 0; i < R; i++)
#pragma unroll
      for (int j = 0; j < R; j++) s[i][j] *= a.scale;
    return;
  }
  row += threadIdx.x >> 4, col += threadIdx.x & 15;
#pragma unroll
  for (int k = 1 - R; k < R; k++) {
    const int apart = row - col + 16 * k;
    const Near x = near_by(a, t, TRANSPOSED ? -apart : apart);
#pragma unroll
    for (int i = k < 0 ? 0 : k; i < (k < 0 ? R + k : R); i++) {
      const int r = row + 16 * i, c = col + 16 * (i - k);
      s[i][i - k] = score(a, t, x, s[i][i - k], TRANSPOSED ? c : r, TRANSPOSED ? r : c);
    }
  }
}

// half_sum and half_max are over the 16 threads of a row of threads.
DEVICE float half_sum(float x) {
#pragma unroll
  for (int o = 8; o > 0; o >>= 1) x += __shfl_xor_sync(ALL_LANES, x, o);
  return x;
}
DEVICE float half_max(float x) {
#pragma unroll
  for (int o = 8; o > 0; o >>= 1) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, o));
  return x;
}

// row_max raises a row's greatest score m so far by that of s and returns what e^(score − m) of before is to be multiplied by.
// Where a row has seen no key yet m stays −∞.
template <int R> DEVICE float row_max(float &m, const float (&s)[R], float (&e)[R]) {
  float greatest = m;
#pragma unroll
  for (int j = 0; j < R; j++) greatest = fmaxf(greatest, s[j]);
  greatest = half_max(greatest);
  const float base = greatest == MINUS_INFINITY ? 0.f : greatest;
#pragma unroll
  for (int j = 0; j < R; j++) e[j] = expf(s[j] - base);
  const float fade = expf(m - base);
  m = greatest;
  return fade;
}
