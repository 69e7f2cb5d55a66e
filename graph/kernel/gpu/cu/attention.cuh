// What the kernels of attention share: their parameters, where a block's rows lie, and what is added to a score.
#pragma once
#include "device.cuh"

#define MINUS_INFINITY (-__int_as_float(0x7f800000))

// The parameters that all of them begin with. q, k and v are [rows, width], of heads heads of d columns; block y of the grid
// does head head0 + y. What is left out is null. With h counted from head0, keys [h, rows, keyCount] is Scale·q·Keysᵀ and
// queries [h, rows, queryCount] is Scale·k·Queriesᵀ, of relative positions; the centres are where distance 0 stands.
#define ATTENTION_PARAMS                                                                                              \
  const float *q, const float *k, const float *v, const int *bounds, int sequences, int rows, int width, int heads,   \
      int d, int head0, float scale, int window, const float *bias, int biasCentre, const float *keys,                \
      const int *keyRows, int keyCount, int keyCentre, const float *queries, const int *queryRows, int queryCount,    \
      int queryCentre
#define ATTENTION_ARGS                                                                                                \
  {                                                                                                                   \
    q, k, v, bounds, sequences, rows, width, heads, d, head0, scale, window, bias, biasCentre, keys, keyRows,         \
        keyCount, keyCentre, queries, queryRows, queryCount, queryCentre                                              \
  }

struct Attention {
  const float *q, *k, *v;
  const int *bounds;
  int sequences, rows, width, heads, d, head0;
  float scale;
  int window;
  const float *bias;
  int biasCentre;
  const float *keys;
  const int *keyRows;
  int keyCount, keyCentre;
  const float *queries;
  const int *queryRows;
  int queryCount, queryCentre;
};

// A block's part: up to B rows from row i on of the n rows of a sequence, which begins at row first of the operands. none is
// set where the rows are those of no sequence.
struct Part {
  int first, n, i;
  bool none;
};

// bound is where part v of the rows begins: those before the first sequence, the sequences, and those after the last.
DEVICE int part_bound(const Attention &a, int v) {
  return v == 0 ? 0 : v > a.sequences + 1 ? a.rows : a.bounds[v - 1];
}

// find_part finds the part of slot number slot, where part v has the slots from bound(v)/B + v on: as many as its rows need,
// or one more, which finds nothing to do and false. A warp searches together, so that two rounds do for a thousand sequences.
template <int B>
DEVICE bool find_part(const Attention &a, int slot, Part &p) {
  const int lane = threadIdx.x & 31;
  int v = 0, count = a.sequences + 2;
  while (count > 1) {
    const int step = (count + 31) / 32, at = lane * step;
    const unsigned before = __ballot_sync(ALL_LANES, at < count && part_bound(a, v + at) / B + v + at <= slot);
    const int last = (__popc(before) - 1) * step;
    v += last;
    count = min(step, count - last);
  }
  p.first = part_bound(a, v);
  p.n = part_bound(a, v + 1) - p.first;
  p.i = (slot - p.first / B - v) * B;
  p.none = v == 0 || v == a.sequences + 1;
  return p.i < p.n;
}

// Seen are the rows from lo to hi−1 that any of the B rows from i on sees.
struct Seen {
  int lo, hi;
};

DEVICE Seen seen(const Attention &a, const Part &p, int B) {
  if (a.window == 0) return Seen{0, p.n};
  return Seen{max(0, p.i - a.window), min(p.n, min(p.n, p.i + B) + a.window)};
}

// Terms are what is added to the scores of one head of a part, from the part's first row on, and how far rows see.
struct Terms {
  const float *bias, *keys, *queries;
  int n, reach;
};

DEVICE Terms terms(const Attention &a, const Part &p, int y) {
  Terms t = {a.bias, a.keys, a.queries, p.n, a.window > 0 ? min(a.window, p.n - 1) : p.n - 1};
  if (t.bias) t.bias += (int64_t)a.biasCentre * a.heads + a.head0 + y;
  if (t.keys) t.keys += ((int64_t)y * a.rows + p.first) * a.keyCount;
  if (t.queries) t.queries += ((int64_t)y * a.rows + p.first) * a.queryCount;
  return t;
}

// Near is what scores at one distance query − key have in common.
struct Near {
  bool in; // they see each other, if both are there
  float bias;
  int key, query; // the rows of relative positions
};

DEVICE Near near_by(const Attention &a, const Terms &t, int distance) {
  Near x = {distance <= t.reach && -distance <= t.reach, 0.f, 0, 0};
  if (!x.in) return x;
  if (t.bias) x.bias = t.bias[-distance * a.heads];
  if (t.keys) x.key = a.keyRows[distance + a.keyCentre];
  if (t.queries) x.query = a.queryRows[distance + a.queryCentre];
  return x;
}

// score is that of query i and key j, whose product is dot: −∞ where they do not see each other.
DEVICE float score(const Attention &a, const Terms &t, const Near &x, float dot, int i, int j) {
  if (!x.in || max(i, j) >= t.n) return MINUS_INFINITY;
  float s = fmaf(dot, a.scale, x.bias);
  if (t.keys) s += t.keys[i * a.keyCount + x.key];
  if (t.queries) s += t.queries[j * a.queryCount + x.query];
  return s;
}

// plain tells that scores are products times the scale.
DEVICE bool plain(const Attention &a, const Terms &t) { return a.window == 0 && !t.bias && !t.keys && !t.queries; }

// aligned16 tells whether rows of width floats from x on, and every d-th column of them, lie at multiples of 16 bytes.
DEVICE bool aligned16(const float *x, int width, int d) {
  return ((uint64_t)x & 15) == 0 && width % 4 == 0 && d % 4 == 0;
}

// add_by_row adds, for each of count rows of a tile of sums (from row number first of a head on), every element to the column
// of to [_, columns] that a table gives for its distance, which falls from column to column of the tile where step is −1. A
// warp takes a row, and the elements that meet in a column in their order: the sums do not depend on how threads run.
DEVICE void add_by_row(float *to, int columns, const int *table, const float *tile, int ld, int row,
                                           int first, int distance, int step, int cols) {
  const int lane = threadIdx.x & 31;
  to += (int64_t)(first + row) * columns;
  tile += row * ld;
  for (int c0 = 0; c0 < cols; c0 += 32) {
    const int c = c0 + lane, at = c < cols ? table[distance + step * c] : 0;
    unsigned same = __ballot_sync(ALL_LANES, c < cols);
#pragma unroll 1
    for (int bit = 1; bit < columns; bit <<= 1) {
      const unsigned ones = __ballot_sync(ALL_LANES, at & bit);
      same &= at & bit ? ones : ~ones;
    }
    if (c < cols && (same & ((1u << lane) - 1)) == 0) {
      float sum = 0.f;
      for (unsigned rest = same; rest; rest &= rest - 1) sum += tile[c0 + __ffs(rest) - 1];
      to[at] += sum;
    }
    __syncwarp();
  }
}

// store_zeros clears d columns of the rows of a part that belongs to no sequence.
DEVICE void store_zeros(float *to, const Part &p, int B, int width, int d) {
  const int rows = min(B, p.n - p.i);
  for (int at = threadIdx.x; at < rows * d; at += blockDim.x) to[(int64_t)(p.first + p.i + at / d) * width + at % d] = 0.f;
}

// The kept numbers of a row: the greatest score, one over the sum of exponentials, rowsum(P ⊙ A); [3, grid.y, rows].
struct Kept {
  float *m, *inverse, *mean;
};

DEVICE Kept kept(const Attention &a, const Part &p, float *stats) {
  const int64_t plane = (int64_t)gridDim.y * a.rows, at = (int64_t)blockIdx.y * a.rows + p.first;
  return Kept{stats + at, stats + plane + at, stats + 2 * plane + at};
}
