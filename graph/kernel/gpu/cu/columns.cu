// Sums down the columns: each block takes 32 columns of so many rows, eight rows at a time, and a second launch adds up
// what the blocks made of theirs.
#include "group.cuh"

// Lanes holds a block's partial sums, one row of 32 columns for each of its warps.
struct Lanes {
  float v[8][32];
};

// down adds up the block's warps in their order and writes the sum of the thread's column.
DEVICE void down(float* out, float sum, Lanes& lanes, int j, int n) {
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  lanes.v[warp][lane] = sum;
  __syncthreads();
  if (warp || j >= n) return;
#pragma unroll
  for (int k = 1; k < 8; k++) sum += lanes.v[k][lane];
  out[j] = sum;
}

// Row blockIdx.y of out [gridDim.y,n] is the sum of the rows of x [m,n] from blockIdx.y·rows on. Blocks have 256 threads.
KERNEL(column_sums, (float* out, const float* x, long long m, int n, long long rows)) {
  SHARED(Lanes, lanes, );
  int j = blockIdx.x * 32 + (threadIdx.x & 31);
  long long from = blockIdx.y * rows, to = from + rows < m ? from + rows : m;
  float sum = 0.f;
  if (j < n) {
#pragma unroll 8
    for (long long i = from + (threadIdx.x >> 5); i < to; i += 8) sum += x[i * n + j];
  }
  down(out + (long long)blockIdx.y * n, sum, lanes, j, n);
}

// Row blockIdx.y of out [gridDim.y,2n] holds, for the rows from blockIdx.y·rows on, Σ dy ⊙ ẑ and then Σ dy, with ẑ the
// normalised rows of x + residual by stats [m,2].
KERNEL(layer_norm_param_sums, (float* out, const float* x, const float* residual, const float* dy, const float* stats,
                               long long m, int n, long long rows)) {
  SHARED(Lanes, lanes, [2]);
  int j = blockIdx.x * 32 + (threadIdx.x & 31);
  long long from = blockIdx.y * rows, to = from + rows < m ? from + rows : m;
  float gamma = 0.f, beta = 0.f;
  if (j < n) {
#pragma unroll 4
    for (long long i = from + (threadIdx.x >> 5); i < to; i += 8) {
      float z = x[i * n + j], d = dy[i * n + j];
      if (residual) z += residual[i * n + j];
      gamma += d * ((z - stats[2 * i]) * stats[2 * i + 1]);
      beta += d;
    }
  }
  out += (long long)blockIdx.y * 2 * n;
  down(out, gamma, lanes[0], j, n);
  down(out + n, beta, lanes[1], j, n);
}
