// Reductions to one number a row, and to one number.
#include "group.cuh"

struct Multiplied {
  template <class T> static __device__ __forceinline__ T none() { return T(1); }
  template <class T> static __device__ __forceinline__ T of(T a, T b) { return a * b; }
};

// Greatest and Least are NaN if either is.
struct Greatest {
  template <class T> static __device__ __forceinline__ T none() { return -__int_as_float(0x7f800000); }
  template <class T> static __device__ __forceinline__ T of(T a, T b) { return a != a || a > b ? a : b; }
};
struct Least {
  template <class T> static __device__ __forceinline__ T none() { return __int_as_float(0x7f800000); }
  template <class T> static __device__ __forceinline__ T of(T a, T b) { return a != a || a < b ? a : b; }
};

template <class Group, class Op, class T>
DEVICE void reduce_row(float* out, const float* x, long long m, int n) {
  long long i = Group::row();
  if (i >= m) return;
  T acc = Op::template none<T>();
  for (int j = Group::rank(); j < n; j += Group::size()) acc = Op::of(acc, (T)x[i * n + j]);
  acc = Group::template reduce<Op>(acc);
  if (Group::rank() == 0) out[i] = (float)acc;
}

// kernel.Reduction, in its order
template <class Group> DEVICE void reduce_row_by(float* out, const float* x, int f, long long m, int n) {
  switch (f) {
    case 0: reduce_row<Group, Multiplied, double>(out, x, m, n); break;
    case 1: reduce_row<Group, Greatest, float>(out, x, m, n); break;
    case 2: reduce_row<Group, Least, float>(out, x, m, n); break;
    case 3: reduce_row<Group, Sum, double>(out, x, m, n); break;
  }
}

KERNEL(reduce_short, (float* out, const float* x, int f, long long m, int n)) { reduce_row_by<Warp>(out, x, f, m, n); }

KERNEL(reduce_long, (float* out, const float* x, int f, long long m, int n)) { reduce_row_by<Block>(out, x, f, m, n); }

// out[b] is the sum of the squares that block b takes.
KERNEL(sum_squares, (double* out, const float* x, long long n)) {
  double sum = 0.;
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x)
    sum += (double)x[i] * (double)x[i];
  sum = Block::reduce<Sum>(sum);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// total is Σ x, by one block.
DEVICE double total(const double* x, long long n) {
  double sum = 0.;
  for (long long i = threadIdx.x; i < n; i += blockDim.x) sum += x[i];
  return Block::reduce<Sum>(sum);
}

// out = weight·Σ x. One block.
KERNEL(weighted_total, (float* out, const float* weight, const double* x, long long n)) {
  double sum = total(x, n);
  if (threadIdx.x == 0) *out = (float)((double)*weight * sum);
}

// kernel.ClipFactor of Σ x. One block.
KERNEL(clip_factor, (float* out, const double* x, float limit, long long n)) {
  double norm = sqrt(total(x, n));
  if (threadIdx.x == 0) *out = norm > (double)limit ? (float)((double)limit / norm) : 1.f;
}

// Softmax in float64; a row of −∞ alone gives empty everywhere. out may be x.
template <class Group>
DEVICE void softmax_row(float* out, const float* x, float empty, long long m, int n) {
  long long i = Group::row();
  if (i >= m) return;
  const float* row = x + i * n;
  float largest = Largest::none<float>();
  for (int j = Group::rank(); j < n; j += Group::size()) largest = Greatest::of(largest, row[j]);
  largest = Group::template reduce<Greatest>(largest);
  if (largest == Largest::none<float>()) {
    for (int j = Group::rank(); j < n; j += Group::size()) out[i * n + j] = empty;
    return;
  }
  double sum = 0.;
  for (int j = Group::rank(); j < n; j += Group::size()) sum += exp((double)row[j] - (double)largest);
  sum = Group::template reduce<Sum>(sum);
  for (int j = Group::rank(); j < n; j += Group::size()) out[i * n + j] = (float)(exp((double)row[j] - (double)largest) / sum);
}

KERNEL(softmax_short, (float* out, const float* x, float empty, long long m, int n)) { softmax_row<Warp>(out, x, empty, m, n); }

KERNEL(softmax_long, (float* out, const float* x, float empty, long long m, int n)) { softmax_row<Block>(out, x, empty, m, n); }
