// Functions of one, two and three arguments, element by element.
#include "elementwise.cuh"

KERNEL(add, (float* out, const float* a, const float* b, long long n)) {
  binary(out, a, b, n, [](float x, float y) { return x + y; });
}

KERNEL(mul, (float* out, const float* a, const float* b, long long n)) {
  binary(out, a, b, n, [](float x, float y) { return x * y; });
}

KERNEL(scale, (float* out, const float* x, float s, long long n)) {
  unary(out, x, n, [=](float v) { return s * v; });
}

// out = x + c
KERNEL(shift, (float* out, const float* x, float c, long long n)) {
  unary(out, x, n, [=](float v) { return v + c; });
}

// y += s·x
KERNEL(add_scaled, (float* y, const float* x, float s, long long n)) {
  binary(y, y, x, n, [=](float v, float w) { return v + s * w; });
}

// clip is null or one more factor of the gradients; decay is LR·WeightDecay, rate LR/(1−β1ᵗ) and root 1/√(1−β2ᵗ): √(v/(1−β2ᵗ)) = root·√v.
KERNEL(adamw, (float* p, const float* g, float* m, float* v, const float* clip, float scale, float b1, float c1, float b2, float c2, float decay,
               float rate, float root, float eps, long long n)) {
  if (clip) scale *= *clip;
  each(n, !misaligned(p, g, m, v), [=](auto x, long long i) {
    constexpr int W = sizeof x / 4;
    x = load<W>(p + i);
    auto grad = load<W>(g + i), first = load<W>(m + i), second = load<W>(v + i);
#pragma unroll
    for (int c = 0; c < W; c++) {
      float d = grad.v[c] * scale;
      first.v[c] = b1 * first.v[c] + c1 * d;
      second.v[c] = b2 * second.v[c] + c2 * d * d;
      x.v[c] = x.v[c] - decay * x.v[c] - rate * first.v[c] / (root * sqrtf(second.v[c]) + eps);
    }
    store(p + i, x);
    store(m + i, first);
    store(v + i, second);
  });
}

