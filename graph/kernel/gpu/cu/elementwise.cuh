// Loops over elements. Where every address is a multiple of 16 bytes a thread takes four elements at a time.
#pragma once
#include "group.cuh"

// each calls f with a width and an index, so that every i below n is met once.
template <class F> DEVICE void each(long long n, bool fours, F f) {
  long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x, step = (long long)gridDim.x * blockDim.x;
  if (fours) {
    for (long long j = i; j < n / 4; j += step) f(Vec<4>(), 4 * j);
    i += n / 4 * 4;
  }
  for (; i < n; i += step) f(Vec<1>(), i);
}

template <class F> DEVICE void unary(float* out, const float* x, long long n, F f) {
  each(n, !misaligned(out, x), [=](auto v, long long i) {
    constexpr int W = sizeof v / 4;
    v = load<W>(x + i);
#pragma unroll
    for (int c = 0; c < W; c++) v.v[c] = f(v.v[c]);
    store(out + i, v);
  });
}

template <class F> DEVICE void binary(float* out, const float* a, const float* b, long long n, F f) {
  each(n, !misaligned(out, a, b), [=](auto v, long long i) {
    constexpr int W = sizeof v / 4;
    v = load<W>(a + i);
    auto w = load<W>(b + i);
#pragma unroll
    for (int c = 0; c < W; c++) v.v[c] = f(v.v[c], w.v[c]);
    store(out + i, v);
  });
}
