// The gradient of taking rows by index: positions are sorted by their index, stably, so that each row of the table is
// summed by one block in the order of the positions: no float atomics. The sort is by digits of 8 bits, the least first
// (Knuth, The Art of Computer Programming, vol. 3, 5.2.5): count, scan, place for each digit.
#include "group.cuh"

// items that a warp takes, and a block of four warps
#define WARP_ITEMS 256
#define BLOCK_ITEMS 1024

// alike are the lanes of the warp whose digit is the same. Lanes with live unset are alike to none.
DEVICE unsigned alike(unsigned digit, bool live) {
  unsigned lanes = __ballot_sync(ALL_LANES, live);
#pragma unroll
  for (int b = 0; b < 8; b++) {
    unsigned ones = __ballot_sync(ALL_LANES, digit >> b & 1);
    lanes &= digit >> b & 1 ? ones : ~ones;
  }
  return lanes;
}

// A warp's items in turn: f(i, digit, lanes alike) for item i, by all lanes at once. live tells items from lanes past n.
template <class F> DEVICE void each_item(const int* keys, int shift, int n, F f) {
  int from = blockIdx.x * BLOCK_ITEMS + (threadIdx.x >> 5) * WARP_ITEMS + Warp::rank();
  for (int k = 0; k < WARP_ITEMS; k += 32) {
    int i = from + k;
    unsigned digit = i < n ? (unsigned)keys[i] >> shift & 255u : 0u;
    unsigned lanes = alike(digit, i < n);
    f(i, digit, lanes, i < n);
    __syncwarp();
  }
}

// first tells whether a lane is the first of those alike.
DEVICE bool first(unsigned lanes) { return __popc(lanes & ((1u << Warp::rank()) - 1)) == 0; }

// counts[d·gridDim.x + b] is how many items of block b have digit d. Blocks have 128 threads, as in sort_place.
KERNEL(sort_count, (int* counts, const int* keys, int shift, int n)) {
  SHARED(int, own, [4][256]);
  int* mine = own[threadIdx.x >> 5];
  for (int d = threadIdx.x; d < 1024; d += 128) own[d >> 8][d & 255] = 0;
  __syncthreads();
  each_item(keys, shift, n, [=](int, unsigned digit, unsigned lanes, bool live) {
    if (live && first(lanes)) mine[digit] += __popc(lanes);
  });
  __syncthreads();
  for (int d = threadIdx.x; d < 256; d += 128)
    counts[d * gridDim.x + blockIdx.x] = own[0][d] + own[1][d] + own[2][d] + own[3][d];
}

// Makes of each count the sum of those before it. One block of 1024 threads.
KERNEL(sort_scan, (int* counts, int n)) {
  SHARED(int, part, [32]);
  SHARED(int, carry, );
  int lane = Warp::rank(), warp = threadIdx.x >> 5;
  if (threadIdx.x == 0) carry = 0;
  for (int from = 0; from < n; from += 1024) {
    int i = from + threadIdx.x, own = i < n ? counts[i] : 0, sum = own;
#pragma unroll
    for (int o = 1; o < 32; o <<= 1) {
      int below = __shfl_sync(ALL_LANES, sum, lane - o);
      if (lane >= o) sum += below;
    }
    __syncthreads();  // part and carry have been read
    if (lane == 31) part[warp] = sum;
    __syncthreads();
    int before = carry;
    for (int w = 0; w < warp; w++) before += part[w];
    if (i < n) counts[i] = before + sum - own;
    __syncthreads();
    if (threadIdx.x == 1023) carry = before + sum;
  }
}

// Places each key, with its position (its own where positions is null), behind those that sort before it.
KERNEL(sort_place, (int* toKeys, int* toPositions, const int* keys, const int* positions, const int* starts, int shift, int n)) {
  SHARED(int, next, [4][256]);
  int warp = threadIdx.x >> 5;
  int* mine = next[warp];
  for (int d = threadIdx.x; d < 1024; d += 128) next[d >> 8][d & 255] = 0;
  __syncthreads();
  each_item(keys, shift, n, [=](int, unsigned digit, unsigned lanes, bool live) {
    if (live && first(lanes)) mine[digit] += __popc(lanes);
  });
  __syncthreads();
  for (int d = threadIdx.x; d < 256; d += 128) {
    int start = starts[d * gridDim.x + blockIdx.x];
    for (int w = 0; w < 4; w++) {
      int count = next[w][d];
      next[w][d] = start;
      start += count;
    }
  }
  __syncthreads();
  each_item(keys, shift, n, [=](int i, unsigned digit, unsigned lanes, bool live) {
    int start = live ? mine[digit] : 0;
    __syncwarp();  // all lanes have read where their digit goes on
    if (!live) return;
    if (first(lanes)) mine[digit] = start + __popc(lanes);
    int to = start + __popc(lanes & ((1u << Warp::rank()) - 1));
    toKeys[to] = keys[i];
    toPositions[to] = positions ? positions[i] : i;
  });
}

// Adds dy[positions[i]] to out[keys[b]] over the run of equal keys that starts at b, in its order. A block that is not
// the start of a run does nothing. The grid is positions by tiles of blockDim.x columns.
KERNEL(run_sums, (float* out, const int* keys, const int* positions, const float* dy, int count, int n)) {
  int b = blockIdx.x, j = blockIdx.y * blockDim.x + threadIdx.x, key = keys[b];
  if (j >= n || (b > 0 && keys[b - 1] == key)) return;
  float* to = out + (long long)key * n + j;
  float sum = *to;
  int i = b;
  // Sixteen loads are on their way before the first is added.
  for (; i + 16 <= count && keys[i + 15] == key; i += 16) {
    float v[16];
#pragma unroll
    for (int k = 0; k < 16; k++) v[k] = dy[(long long)positions[i + k] * n + j];
#pragma unroll
    for (int k = 0; k < 16; k++) sum += v[k];
  }
  for (; i < count && keys[i] == key; i++) sum += dy[(long long)positions[i] * n + j];
  *to = sum;
}
