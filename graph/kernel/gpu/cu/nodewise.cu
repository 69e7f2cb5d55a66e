// What networks that run node by node have beside elementwise.cu.
#include "elementwise.cuh"

// Functions taken in float64 go element by element: their code is long, and their time is not the memory's.
template <class F> DEVICE void unary_wide(float* out, const float* x, long long n, F f) {
  each(n, false, [=](auto, long long i) { out[i] = (float)f((double)x[i]); });
}

// kernel.Function, in its order. Those whose float32 versions err by more than an ulp are taken in float64.
KERNEL(map_each, (float* out, const float* x, int f, long long n)) {
  switch (f) {
    case 0: unary(out, x, n, [](float v) { return fabsf(v); }); break;
    case 1: unary(out, x, n, [](float v) { return v > 0.f ? 1.f : v < 0.f ? -1.f : v; }); break;
    case 2: unary(out, x, n, [](float v) { return ceilf(v); }); break;
    case 3: unary(out, x, n, [](float v) { return floorf(v); }); break;
    case 4: unary(out, x, n, [](float v) { return rintf(v); }); break;
    case 5: unary(out, x, n, [](float v) { return truncf(v); }); break;
    case 6: unary(out, x, n, [](float v) { return sqrtf(v); }); break;
    case 7: unary_wide(out, x, n, [](double v) { return log(v); }); break;
    case 8: unary_wide(out, x, n, [](double v) { return erf(v); }); break;
    case 9: unary_wide(out, x, n, [](double v) { return sin(v); }); break;
    case 10: unary_wide(out, x, n, [](double v) { return cos(v); }); break;
    case 11: unary(out, x, n, [](float v) { return 1.f / v; }); break;
    case 12: unary_wide(out, x, n, [](double v) { return 1. / (1. + exp(-v)); }); break;
    case 13: unary_wide(out, x, n, [](double v) { return fmax(v, 0.) + log1p(exp(-fabs(v))); }); break;
    case 14: unary(out, x, n, [](float v) { return v == 0.f ? 1.f : 0.f; }); break;
    case 15: unary(out, x, n, [](float v) { return v != v ? 1.f : 0.f; }); break;
    case 16: unary_wide(out, x, n, [](double v) { return exp(v); }); break;
    case 17: unary_wide(out, x, n, [](double v) { return 1. / sqrt(v); }); break;
    case 18: unary_wide(out, x, n, [](double v) { return atan(v); }); break;
  }
}

// kernel.Pair, in its order
KERNEL(combine_each, (float* out, const float* a, const float* b, int f, long long n)) {
  switch (f) {
    case 0: binary(out, a, b, n, [](float x, float y) { return x / y; }); break;
    case 1: each(n, false, [=](auto, long long i) { out[i] = (float)pow((double)a[i], (double)b[i]); }); break;
    case 2: binary(out, a, b, n, [](float x, float y) { return x != x || x < y ? x : y; }); break;
    case 3: binary(out, a, b, n, [](float x, float y) { return x != x || x > y ? x : y; }); break;
    case 4: binary(out, a, b, n, [](float x, float y) { return x == y ? 1.f : 0.f; }); break;
    case 5: binary(out, a, b, n, [](float x, float y) { return x < y ? 1.f : 0.f; }); break;
    case 6: binary(out, a, b, n, [](float x, float y) { return x <= y ? 1.f : 0.f; }); break;
    case 7: binary(out, a, b, n, [](float x, float y) { return x > y ? 1.f : 0.f; }); break;
    case 8: binary(out, a, b, n, [](float x, float y) { return x >= y ? 1.f : 0.f; }); break;
    case 9: binary(out, a, b, n, [](float x, float y) { return x != 0.f && y != 0.f ? 1.f : 0.f; }); break;
    case 10: binary(out, a, b, n, [](float x, float y) { return x != 0.f || y != 0.f ? 1.f : 0.f; }); break;
    case 11: binary(out, a, b, n, [](float x, float y) { return (x != 0.f) != (y != 0.f) ? 1.f : 0.f; }); break;
  }
}

// out = c ≠ 0 ? a : b, where a or b may be null and stands for zeros
KERNEL(select_each, (float* out, const float* c, const float* a, const float* b, long long n)) {
  each(n, !misaligned(out, c, a, b), [=](auto v, long long i) {
    constexpr int W = sizeof v / 4;
    v = load<W>(c + i);
    Vec<W> x = {}, y = {};
    if (a) x = load<W>(a + i);
    if (b) y = load<W>(b + i);
#pragma unroll
    for (int k = 0; k < W; k++) v.v[k] = v.v[k] != 0.f ? x.v[k] : y.v[k];
    store(out + i, v);
  });
}
