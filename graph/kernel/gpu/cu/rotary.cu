// Rotary position embeddings.
#include "device.cuh"

// A thread turns a pair of columns: with half pairs to a head, (i, i+half), or (2i, 2i+1) where interleaved is set.
// direction is 1, or −1 for the other way round. cos and sin are [rows, half].
KERNEL(rotary, (float *out, const float *x, const float *cos, const float *sin, int64_t pairs, int heads, int half,
                int interleaved, float direction)) {
  const int64_t all = (int64_t)heads * half;
  for (int64_t at = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; at < pairs; at += (int64_t)gridDim.x * blockDim.x) {
    const int64_t row = at / all;
    const int head = (int)(at % all) / half, i = (int)(at % all) % half;
    const float c = cos[row * half + i], s = sin[row * half + i] * direction;
    const int64_t first = (row * heads + head) * 2 * half + (interleaved ? 2 * i : i);
    const int64_t second = first + (interleaved ? 1 : half);
    const float a = x[first], b = x[second];
    out[first] = a * c - b * s;
    out[second] = b * c + a * s;
  }
}
