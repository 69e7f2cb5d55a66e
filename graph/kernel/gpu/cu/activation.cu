// The activations of kernel.Activation and their slopes.
#include "elementwise.cuh"

// 1/(1 + e⁻ˣ); where e⁻ˣ overflows it is zero
DEVICE float logistic(float x) { return 1.f / (1.f + expf(-x)); }

// Φ(x), the normal distribution's cumulative function
DEVICE float normal_cdf(float x) { return 0.5f * (1.f + erff(x * 0.70710678118654752f)); }

// 2s = 2·√(2/π)·(x + 0.044715x³), so that x/2·(1 + tanh s) = x·σ(2s)
DEVICE float gelu_argument(float x) { return 1.5957691216057308f * (x + 0.044715f * x * x * x); }

KERNEL(activate, (float* out, const float* x, int f, long long n)) {
  switch (f) {
    case 0: unary(out, x, n, [](float v) { return v * normal_cdf(v); }); break;
    case 1: unary(out, x, n, [](float v) { return v * logistic(gelu_argument(v)); }); break;
    case 2: unary(out, x, n, [](float v) { return v < 0.f ? 0.f : v; }); break;
    case 3: unary(out, x, n, [](float v) { return v * logistic(v); }); break;
    case 4: unary(out, x, n, [](float v) { return tanhf(v); }); break;
  }
}

KERNEL(activate_grad, (float* dx, const float* x, const float* dy, int f, long long n)) {
  switch (f) {
    case 0:  // Φ(x) + x·φ(x)
      binary(dx, x, dy, n, [](float v, float d) {
        return d * (normal_cdf(v) + v * 0.39894228040143268f * expf(-0.5f * v * v));
      });
      break;
    case 1:  // σ(2s) + x·σ(2s)·σ(−2s)·2s′
      binary(dx, x, dy, n, [](float v, float d) {
        float s = gelu_argument(v), p = logistic(s);
        float bend = 1.f + 3.f * 0.044715f * fminf(v * v, 1e4f);  // beyond, σ(2s)·σ(−2s) is zero
        return d * (p + v * p * logistic(-s) * 1.5957691216057308f * bend);
      });
      break;
    case 2: binary(dx, x, dy, n, [](float v, float d) { return d * (v > 0.f ? 1.f : v <= 0.f ? 0.f : v); }); break;
    case 3:  // σ(x)·(1 + x·σ(−x))
      binary(dx, x, dy, n, [](float v, float d) { return d * (logistic(v) * (1.f + v * logistic(-v))); });
      break;
    case 4:
      binary(dx, x, dy, n, [](float v, float d) {
        float h = tanhf(v);
        return d * (1.f - h * h);
      });
      break;
  }
}
