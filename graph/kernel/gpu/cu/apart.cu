// Attention taken apart: products of rows within sequences, and sums of rows by weights. A row of weights belongs to a
// token t and a head; its columns are the tokens of t's sequence, from its first. Warps take a row.
#include "group.cuh"

struct Sequence {
  int from, to;  // empty where the row lies in none
};

// sequence finds the one of row t: bounds never fall, and a sequence may be empty.
DEVICE Sequence sequence(const int* bounds, int sequences, int t) {
  int low = 0, high = sequences + 1;  // the first bound above t is at low … high
  while (low < high) {
    int middle = (low + high) / 2;
    if (bounds[middle] > t)
      high = middle;
    else
      low = middle + 1;
  }
  if (low == 0 || low > sequences) return Sequence{0, 0};
  return Sequence{bounds[low - 1], bounds[low]};
}

// out[t·heads+h, j−from] = scale·⟨a[t,h], b[j,h]⟩ for j of the sequence and at most window places from t if that is not 0,
// outside elsewhere. a and b are [rows, heads·d], out [rows·heads, rows].
KERNEL(head_scores, (float* out, const float* a, const float* b, const int* bounds, int sequences, int rows, int heads, int d,
                     float scale, int window, float outside)) {
  long long r = Warp::row();
  if (r >= (long long)rows * heads) return;
  int t = r / heads, h = r % heads;
  long long width = (long long)heads * d;
  Sequence s = sequence(bounds, sequences, t);
  const float* q = a + t * width + h * d;
  for (int j = Warp::rank(); j < rows; j += 32) {
    int k = s.from + j;
    float v = outside;
    if (k < s.to && (window == 0 || (k >= t - window && k <= t + window))) {
      const float* y = b + k * width + h * d;
      float sum = 0.f;
      for (int c = 0; c < d; c++) sum += q[c] * y[c];
      v = scale * sum;
    }
    out[r * rows + j] = v;
  }
}

// out[t,h] = scale·Σ_j p[t·heads+h, j−from]·x[j,h] over the rows j of t's sequence; with trans the weight is
// p[j·heads+h, t−from]. Rows that lie in no sequence come out as zero.
KERNEL(head_mix, (float* out, const float* p, const float* x, const int* bounds, int sequences, int rows, int heads, int d,
                  float scale, int trans)) {
  long long r = Warp::row();
  if (r >= (long long)rows * heads) return;
  int t = r / heads, h = r % heads;
  long long width = (long long)heads * d;
  Sequence s = sequence(bounds, sequences, t);
  const float* weights = trans ? p + ((long long)s.from * heads + h) * rows + (t - s.from) : p + r * rows;
  long long step = trans ? (long long)heads * rows : 1;
  for (int c = Warp::rank(); c < d; c += 32) {
    float sum = 0.f;
#pragma unroll 4
    for (int j = s.from; j < s.to; j++) sum += weights[(j - s.from) * step] * x[j * width + h * d + c];
    out[t * width + h * d + c] = scale * sum;
  }
}
