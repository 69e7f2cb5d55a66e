// Cross entropy over rows of logits: a warp takes a row of up to 1024 classes, a block a longer one. A row whose label is
// negative is not read.
#include "group.cuh"

struct Softmax {
  float largest, sum;
};

template <class Group> DEVICE Softmax row_softmax(const float* row, int c) {
  Softmax s = {Largest::none<float>(), 0.f};
  for (int j = Group::rank(); j < c; j += Group::size()) s.largest = fmaxf(s.largest, row[j]);
  s.largest = Group::template reduce<Largest>(s.largest);
  for (int j = Group::rank(); j < c; j += Group::size()) s.sum += expf(row[j] - s.largest);
  s.sum = Group::template reduce<Sum>(s.sum);
  return s;
}

// losses[t] = −log softmax(logits[t])[labels[t]], zero where the label is negative
template <class Group>
DEVICE void loss_row(double* losses, const float* logits, const int* labels, long long m, int c) {
  long long t = Group::row();
  if (t >= m) return;
  int label = labels[t];
  double loss = 0.;
  if (label >= 0) {
    const float* row = logits + t * c;
    Softmax s = row_softmax<Group>(row, c);
    loss = (double)logf(s.sum) + (double)(s.largest - row[label]);
  }
  if (Group::rank() == 0) losses[t] = loss;
}

KERNEL(cross_entropy_short, (double* losses, const float* logits, const int* labels, long long m, int c)) {
  loss_row<Warp>(losses, logits, labels, m, c);
}

KERNEL(cross_entropy_long, (double* losses, const float* logits, const int* labels, long long m, int c)) {
  loss_row<Block>(losses, logits, labels, m, c);
}

// out may be logits: a thread reads an element for the last time before it writes it, and no other thread needs it then.
template <class Group>
DEVICE void loss_grad_row(float* out, const float* logits, const int* labels, const float* weight,
                                              const float* dout, long long m, int c) {
  long long t = Group::row();
  if (t >= m) return;
  const float* row = logits + t * c;
  int label = labels[t];
  if (label < 0) {
    for (int j = Group::rank(); j < c; j += Group::size()) out[t * c + j] = 0.f;
    return;
  }
  Softmax s = row_softmax<Group>(row, c);
  float scale = *dout * *weight;
  for (int j = Group::rank(); j < c; j += Group::size())
    out[t * c + j] = scale * (expf(row[j] - s.largest) / s.sum - (j == label ? 1.f : 0.f));
}

KERNEL(cross_entropy_grad_short, (float* out, const float* logits, const int* labels, const float* weight, const float* dout,
                                  long long m, int c)) {
  loss_grad_row<Warp>(out, logits, labels, weight, dout, m, c);
}

KERNEL(cross_entropy_grad_long, (float* out, const float* logits, const int* labels, const float* weight, const float* dout,
                                 long long m, int c)) {
  loss_grad_row<Block>(out, logits, labels, weight, dout, m, c);
}
