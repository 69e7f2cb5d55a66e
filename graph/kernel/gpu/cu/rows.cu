// Work on whole rows: a warp takes one, over a tile of columns.
#include "group.cuh"

// columns of a warp's tile
#define TILE 1024

// tile calls f for each row i and each column j of the warp's tile, so many columns at a time. The grid is rows by tiles.
template <class F> DEVICE void tile(long long m, int n, bool fours, F f) {
  long long i = Warp::row();
  if (i >= m) return;
  int from = blockIdx.y * TILE, to = min(n, from + TILE);
  if (fours) {
    for (int j = from + 4 * Warp::rank(); j < to; j += 128) f(Vec<4>(), i, j);
  } else {
    for (int j = from + Warp::rank(); j < to; j += 32) f(Vec<1>(), i, j);
  }
}

template <class F>
DEVICE void by_row(float* out, const float* x, const float* row, long long m, int n, F f) {
  tile(m, n, n % 4 == 0 && !misaligned(out, x, row), [=](auto v, long long i, int j) {
    constexpr int W = sizeof v / 4;
    v = load<W>(x + i * n + j);
    auto w = load<W>(row + j);
#pragma unroll
    for (int c = 0; c < W; c++) v.v[c] = f(v.v[c], w.v[c]);
    store(out + i * n + j, v);
  });
}

KERNEL(add_row, (float* out, const float* x, const float* row, long long m, int n)) {
  by_row(out, x, row, m, n, [](float v, float w) { return v + w; });
}

KERNEL(mul_row, (float* out, const float* x, const float* row, long long m, int n)) {
  by_row(out, x, row, m, n, [](float v, float w) { return v * w; });
}

// out[t] = (out[t] where more is set +) a[ia[t]] + b[ib[t]] + c[ic[t]], in this order; b and c may be null.
KERNEL(embed_rows, (float* out, const float* a, const float* b, const float* c, const int* ia, const int* ib, const int* ic,
                    int more, long long m, int n)) {
  tile(m, n, n % 4 == 0 && !misaligned(out, a, b, c), [=](auto v, long long i, int j) {
    constexpr int W = sizeof v / 4;
    auto add = [&](Vec<W> x) {
#pragma unroll
      for (int k = 0; k < W; k++) v.v[k] += x.v[k];
    };
    Vec<W> first = load<W>(a + (long long)ia[i] * n + j);
    if (more) {
      v = load<W>(out + i * n + j);
      add(first);
    } else {
      v = first;
    }
    if (b) add(load<W>(b + (long long)ib[i] * n + j));
    if (c) add(load<W>(c + (long long)ic[i] * n + j));
    store(out + i * n + j, v);
  });
}

// out[t,j] = 1 where j is labels[t], 0 elsewhere
KERNEL(one_hot, (float* out, const int* labels, long long m, int n)) {
  tile(m, n, n % 4 == 0 && !misaligned(out), [=](auto v, long long i, int j) {
    constexpr int W = sizeof v / 4;
#pragma unroll
    for (int c = 0; c < W; c++) v.v[c] = labels[i] == j + c ? 1.f : 0.f;
    store(out + i * n + j, v);
  });
}
