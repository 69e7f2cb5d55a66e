// Copies between strided operands of up to four axes: out[Σ i_k·o_k] = x[Σ i_k·i_k′].
#include "group.cuh"

// Axes are the offsets of a line of elements: an index below s0·s1 is split, the first axis the slower.
struct Offsets {
  long long out, x;
};
DEVICE Offsets offsets(unsigned i, unsigned s1, long long o0, long long o1, long long i0, long long i1) {
  unsigned a = i / s1, b = i % s1;
  return Offsets{a * o0 + b * o1, a * i0 + b * i1};
}

// A thread of the grid's x takes four elements, which must be neighbours at multiples of 16 bytes on both sides then, or
// one along an axis of n; y goes over the axis before it, z over the two first.
KERNEL(copy_lines, (float* out, const float* x, unsigned s0, unsigned s1, unsigned s2, unsigned n, long long o0, long long o1,
                    long long o2, long long o3, long long i0, long long i1, long long i2, long long i3, int fours)) {
  unsigned j = blockIdx.x * blockDim.x + threadIdx.x;
  if (fours ? j >= n / 4 : j >= n) return;
  for (unsigned z = blockIdx.z; z < s0 * s1; z += gridDim.z) {
    Offsets at = offsets(z, s1, o0, o1, i0, i1);
    for (unsigned y = blockIdx.y * blockDim.y + threadIdx.y; y < s2; y += gridDim.y * blockDim.y) {
      float* to = out + at.out + y * o2;
      const float* from = x + at.x + y * i2;
      if (fours)
        store(to + 4 * j, load<4>(from + 4 * j));
      else
        to[j * o3] = from[j * i3];
    }
  }
}

// Tiles of 32 by 32 pass through shared memory, so that both sides are met along their own line: x's is the axis of n, out's
// the one of s2. Blocks are 32 by 8.
KERNEL(copy_tiles, (float* out, const float* x, unsigned s0, unsigned s1, unsigned s2, unsigned n, long long o0, long long o1,
                    long long o2, long long o3, long long i0, long long i1, long long i2, long long i3)) {
  SHARED(float, tile, [32][33]);
  unsigned across = (n + 31) / 32, down = (s2 + 31) / 32;
  for (unsigned z = blockIdx.z; z < s0 * s1; z += gridDim.z) {
    Offsets at = offsets(z, s1, o0, o1, i0, i1);
    for (unsigned t = blockIdx.x; t < across * down; t += gridDim.x) {
      unsigned j0 = t % across * 32, k0 = t / across * 32;
      __syncthreads();  // the last tile has been read
      for (unsigned r = threadIdx.y; r < 32; r += 8)
        if (k0 + r < s2 && j0 + threadIdx.x < n) tile[r][threadIdx.x] = x[at.x + (k0 + r) * i2 + (j0 + threadIdx.x) * i3];
      __syncthreads();
      for (unsigned r = threadIdx.y; r < 32; r += 8)
        if (j0 + r < n && k0 + threadIdx.x < s2) out[at.out + (k0 + threadIdx.x) * o2 + (j0 + r) * o3] = tile[threadIdx.x][r];
    }
  }
}
