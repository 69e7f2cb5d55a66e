// Layer normalisation. Rows of up to 1024 elements stay in the registers of a warp; longer ones are read again, by a
// block. The variance is taken from the differences to the mean: E[z²] − E[z]² would cancel.
#include "group.cuh"

// Short is an aligned row z = x + residual in a warp's registers: its addresses are multiples of 16 bytes, n of 4.
struct Short {
  typedef Warp Group;
  static const int steps = 8;  // of 32·4 elements
  Vec<4> z[steps];
  int n;
  __device__ __forceinline__ Short(const float* x, const float* residual, int n) : n(n) {
#pragma unroll
    for (int i = 0; i < steps; i++) {
      if (at(i) >= n) continue;
      z[i] = load(x, i);
      if (residual) z[i] = sum(z[i], load(residual, i));
    }
  }
  static __device__ __forceinline__ Vec<4> sum(Vec<4> a, Vec<4> b) {
#pragma unroll
    for (int c = 0; c < 4; c++) a.v[c] += b.v[c];
    return a;
  }
  __device__ __forceinline__ int count() const { return steps; }
  __device__ __forceinline__ int at(int i) const { return (i * 32 + Warp::rank()) * 4; }
  __device__ __forceinline__ bool has(int) const { return true; }
  __device__ __forceinline__ Vec<4> get(int i) const { return z[i]; }
  __device__ __forceinline__ Vec<4> load(const float* row, int i) const { return ::load<4>(row + at(i)); }
  __device__ __forceinline__ void store(float* row, int i, Vec<4> v) const { ::store(row + at(i), v); }
};

// Long is any row, read from memory each time. What it writes over an input, the same thread has read for the last time.
// A warp sums in the order of Short, so that alignment changes no bits.
template <class G> struct Long {
  typedef G Group;
  static const int steps = 1;
  const float *x, *residual;
  int n;
  __device__ __forceinline__ Long(const float* x, const float* residual, int n) : x(x), residual(residual), n(n) {}
  __device__ __forceinline__ int count() const { return (n + 4 * G::size() - 1) / (4 * G::size()); }
  __device__ __forceinline__ int at(int i) const { return (i * G::size() + G::rank()) * 4; }
  __device__ __forceinline__ bool has(int j) const { return j < n; }
  __device__ __forceinline__ Vec<4> get(int i) const {
    Vec<4> z = load(x, i);
    return residual ? Short::sum(z, load(residual, i)) : z;
  }
  // Elements past the row's end are zero.
  __device__ __forceinline__ Vec<4> load(const float* row, int i) const {
    int j = at(i);
    if (j + 4 <= n && !misaligned(row + j)) return ::load<4>(row + j);
    Vec<4> v = {};
#pragma unroll
    for (int c = 0; c < 4; c++)
      if (j + c < n) v.v[c] = row[j + c];
    return v;
  }
  __device__ __forceinline__ void store(float* row, int i, Vec<4> v) const {
    int j = at(i);
    if (j + 4 <= n && !misaligned(row + j)) return ::store(row + j, v);
#pragma unroll
    for (int c = 0; c < 4; c++)
      if (j + c < n) row[j + c] = v.v[c];
  }
};

// each_of calls f(i, z) for the thread's elements of a row: z.v[c] stands in column at(i)+c.
template <class Row, class F> DEVICE void each_of(const Row& z, F f) {
  [[maybe_unused]] constexpr int steps = Row::steps;
#pragma unroll steps
  for (int i = 0; i < z.count(); i++)
    if (z.at(i) < z.n) f(i, z.get(i));
}

// The sum over the row of what f gives for each element.
template <class Row, class F> DEVICE float row_sum(const Row& z, F f) {
  float sum = 0.f;
  each_of(z, [&](int i, Vec<4> v) {
#pragma unroll
    for (int c = 0; c < 4; c++)
      if (z.has(z.at(i) + c)) sum += f(v.v[c]);
  });
  return Row::Group::template reduce<Sum>(sum);
}

struct Moments {
  float mean, rstd;
};

template <class Row> DEVICE Moments moments(const Row& z, float eps) {
  float mean = row_sum(z, [](float v) { return v; }) / z.n;
  float variance = row_sum(z, [=](float v) { return (v - mean) * (v - mean); }) / z.n;
  return Moments{mean, 1.f / sqrtf(variance + eps)};
}

template <class Row>
DEVICE void layer_norm_row(float* out, const float* x, const float* residual, const float* gamma,
                                               const float* beta, long long m, int n, float eps) {
  long long r = Row::Group::row();
  if (r >= m) return;
  Row z(x + r * n, residual ? residual + r * n : residual, n);
  Moments s = moments(z, eps);
  each_of(z, [&](int i, Vec<4> v) {
    Vec<4> scale = z.load(gamma, i), shift = Vec<4>{};
    if (beta) shift = z.load(beta, i);
#pragma unroll
    for (int c = 0; c < 4; c++) v.v[c] = (v.v[c] - s.mean) * s.rstd * scale.v[c] + shift.v[c];
    z.store(out + r * n, i, v);
  });
}

// The grid has a warp for each row.
KERNEL(layer_norm_short, (float* out, const float* x, const float* residual, const float* gamma, const float* beta,
                          long long m, int n, float eps)) {
  if (n % 4 == 0 && !misaligned(out, x, residual, gamma, beta))
    layer_norm_row<Short>(out, x, residual, gamma, beta, m, n, eps);
  else
    layer_norm_row<Long<Warp>>(out, x, residual, gamma, beta, m, n, eps);
}

// The grid has a block for each row.
KERNEL(layer_norm_long, (float* out, const float* x, const float* residual, const float* gamma, const float* beta,
                         long long m, int n, float eps)) {
  layer_norm_row<Long<Block>>(out, x, residual, gamma, beta, m, n, eps);
}

// With d = dy ⊙ gamma and ẑ the normalised row, dz = rstd·(d − mean(d) − ẑ·mean(d ⊙ ẑ)).
template <class Row>
DEVICE void layer_norm_grad_row(float* dz, const float* x, const float* residual, const float* gamma,
                                                    const float* dy, long long m, int n, float eps) {
  long long r = Row::Group::row();
  if (r >= m) return;
  Row z(x + r * n, residual ? residual + r * n : residual, n);
  Moments s = moments(z, eps);
  const float* up = dy + r * n;
  float mean = 0.f, along = 0.f;
  each_of(z, [&](int i, Vec<4> v) {
    Vec<4> d = z.load(up, i), scale = z.load(gamma, i);
#pragma unroll
    for (int c = 0; c < 4; c++) {
      mean += d.v[c] * scale.v[c];
      along += d.v[c] * scale.v[c] * ((v.v[c] - s.mean) * s.rstd);
    }
  });
  mean = Row::Group::template reduce<Sum>(mean) / n;
  along = Row::Group::template reduce<Sum>(along) / n;
  each_of(z, [&](int i, Vec<4> v) {
    Vec<4> d = z.load(up, i), scale = z.load(gamma, i);
#pragma unroll
    for (int c = 0; c < 4; c++)
      v.v[c] = s.rstd * (d.v[c] * scale.v[c] - mean - (v.v[c] - s.mean) * s.rstd * along);
    z.store(dz + r * n, i, v);
  });
}

KERNEL(layer_norm_grad_short, (float* dz, const float* x, const float* residual, const float* gamma, const float* dy,
                               long long m, int n, float eps)) {
  if (n % 4 == 0 && !misaligned(dz, x, residual, gamma, dy))
    layer_norm_grad_row<Short>(dz, x, residual, gamma, dy, m, n, eps);
  else
    layer_norm_grad_row<Long<Warp>>(dz, x, residual, gamma, dy, m, n, eps);
}

KERNEL(layer_norm_grad_long, (float* dz, const float* x, const float* residual, const float* gamma, const float* dy,
                              long long m, int n, float eps)) {
  layer_norm_grad_row<Long<Block>>(dz, x, residual, gamma, dy, m, n, eps);
}

// stats is [m,2]: each row's mean and 1/√(variance + eps).
template <class Row>
DEVICE void layer_norm_stats_row(float* stats, const float* x, const float* residual, long long m, int n,
                                                     float eps) {
  long long r = Row::Group::row();
  if (r >= m) return;
  Row z(x + r * n, residual ? residual + r * n : residual, n);
  Moments s = moments(z, eps);
  if (Row::Group::rank() == 0) {
    stats[2 * r] = s.mean;
    stats[2 * r + 1] = s.rstd;
  }
}

KERNEL(layer_norm_stats_short, (float* stats, const float* x, const float* residual, long long m, int n, float eps)) {
  if (n % 4 == 0 && !misaligned(x, residual))
    layer_norm_stats_row<Short>(stats, x, residual, m, n, eps);
  else
    layer_norm_stats_row<Long<Warp>>(stats, x, residual, m, n, eps);
}

KERNEL(layer_norm_stats_long, (float* stats, const float* x, const float* residual, long long m, int n, float eps)) {
  layer_norm_stats_row<Long<Block>>(stats, x, residual, m, n, eps);
}
