// What the gradients of attention's bias and of relative positions take beside attentiongrad_f32.cuh and attentiongrad_bf16.cuh.
#include "device.cuh"

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
