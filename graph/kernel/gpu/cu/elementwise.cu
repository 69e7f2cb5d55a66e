// Element by element: one thread takes every (threads of the grid)-th element.
#include "device.cuh"

#define EACH(i, n) \
  for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (int64_t)gridDim.x * blockDim.x)

// out = a + b; out may be a or b.
KERNEL(add, (float *out, const float *a, const float *b, int64_t n)) {
  EACH(i, n) out[i] = a[i] + b[i];
}

// out = s·x; out may be x.
KERNEL(scale, (float *out, const float *x, float s, int64_t n)) {
  EACH(i, n) out[i] = s * x[i];
}
