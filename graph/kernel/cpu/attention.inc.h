// Attention of one head of one sequence at a time: out = softmax(scale·q·kᵀ + bias)·v.
//
// q, k, v and out are read and written in place, rows of heads·d columns. For each block of queries, which is all of them
// where there is no window, kᵀ and v are packed into scratch; then each panel of TILE_ROWS query rows has its scores
// taken, made probabilities and multiplied by v while they are in the first cache.

// What attention does beside the plain product: a window of 0 is none, and so is a bias of NULL. bias has bias_rows rows
// of heads columns, by key − query; the middle one is of the query itself.
typedef struct {
	float scale;
	long window, bias_rows;
	const uf *bias;
} attending;

// A head of a sequence: n rows of d columns, in operands whose rows are ld apart. at is the place of its first element.
// bias, or NULL, holds what is added to the scores, in scratch: of key − query = 0 at n − 1.
typedef struct {
	long n, d, ld, at;
	attending how;
	const uf *bias;
} head;

// The queries of a block where there is a window.
enum { WINDOW_ROWS = 64 };

// The keys that queries i to i+rows−1 see: from lo on, n of them.
typedef struct {
	long lo, n;
} keys;

INLINE keys keys_of(head h, long i, long rows) {
	if (h.how.window == 0) return (keys){0, h.n};
	const long lo = i > h.how.window ? i - h.how.window : 0;
	return (keys){lo, min_long(h.n, i + rows + h.how.window) - lo};
}

// The most keys that a block of rows queries sees, in sequences of up to n tokens.
INLINE long most_keys(long n, long rows, long window) { return window == 0 ? n : min_long(n, rows + 2 * window); }

INLINE long block_queries(long n, long window) { return window == 0 ? n : min_long(n, WINDOW_ROWS); }

// The distance between rows of scores.
INLINE long score_stride(long n) { return round_up(n, LANES); }

// The floats that a head's bias takes: a vector may be read beyond its end.
INLINE long bias_size(long n, int bias) { return bias ? round_up(2 * n - 1 + LANES, LANES) : 0; }

// Takes a head's column of the bias into scratch.
static const uf *head_bias(attending how, long n, long heads, long column, uf *to) {
	if (!how.bias) return NULL;
	const uf *from = how.bias + (how.bias_rows / 2 - (n - 1)) * heads + column;
	for (long i = 0; i < 2 * n - 1; i++) to[i] = from[i * heads];
	for (long i = 2 * n - 1; i < bias_size(n, 1); i++) to[i] = 0;
	return to;
}

// Multiplies rows of a by a packed right operand of cols columns.
INLINE void multiply_rows(long rows, long cols, long depth, const uf *a, long lda, const uf *packed, uf *c, long ldc,
		float alpha) {
	multiply_block(rows, cols, depth, (left){a, lda, 0, 0}, packed, c, ldc, (epilogue){alpha, 0, NULL});
}

// Adds the bias to the scores of query i, and hides what is outside of its window or beyond the keys.
static void adjust_scores(head h, long i, keys k, uf *row) {
	const long stride = score_stride(k.n);
	if (h.bias) {
		const uf *bias = h.bias + (k.lo - i + h.n - 1);
		for (long j = 0; j < stride; j += LANES) store(row + j, load(row + j) + load(bias + j));
	}
	const keys own = keys_of(h, i, 1);
	for (long j = 0; j < own.lo - k.lo; j++) row[j] = -INFINITY;
	for (long j = own.lo - k.lo + own.n; j < stride; j++) row[j] = -INFINITY;
}

// Fills p, rows score_stride(k.n) apart, with the probabilities of query rows q, from number i on. keys is kᵀ packed:
// the columns that it has beyond k.n, repeats of the last, fill the rows of p up.
static void probabilities(long rows, head h, long i, keys k, const uf *q, const uf *packed, uf *p) {
	const long stride = score_stride(k.n);
	multiply_rows(rows, stride, h.d, q, h.ld, packed, p, stride, h.how.scale);
	for (long r = 0; r < rows; r++) {
		if (h.bias || h.how.window) adjust_scores(h, i + r, k, p + r * stride);
		softmax_row(k.n, p + r * stride);
	}
}

static void attend(head h, const uf *q, const uf *k, const uf *v, uf *out, uf *scratch) {
	const long block = block_queries(h.n, h.how.window), most = most_keys(h.n, block, h.how.window);
	uf *packed = scratch, *values = packed + block_size(h.d, most), *scores = values + block_size(most, h.d);
	for (long first = 0; first < h.n; first += block) {
		const long queries = min_long(block, h.n - first);
		const keys seen = keys_of(h, first, queries);
		pack_block(h.d, seen.n, k + h.at + seen.lo * h.ld, h.ld, 1, packed);
		pack_block(seen.n, h.d, v + h.at + seen.lo * h.ld, h.ld, 0, values);
		for (long i = 0, panel = 0; i < queries; panel++) {
			const long rows = panel_rows(queries, panel), at = h.at + (first + i) * h.ld;
			probabilities(rows, h, first + i, seen, q + at, packed, scores);
			multiply_rows(rows, h.d, seen.n, scores, score_stride(seen.n), values, out + at, h.ld, 1);
			i += rows;
		}
	}
}

// Clears the rows of out that lie before the first sequence and after the last.
static void clear_outside(long t, long ld, long sequences, const int32_t *bounds, uf *out) {
	const long first = bounds[0], end = bounds[sequences];
	memset(out, 0, first * ld * sizeof *out);
	memset(out + end * ld, 0, (t - end) * ld * sizeof *out);
}

// Runs body for every head of every sequence that has rows, as h; column is its number. scratch moves behind its bias.
#define EACH_HEAD(body) \
	for (long s = 0; s < sequences; s++) \
		for (long column = 0; column < heads; column++) { \
			const long n = bounds[s + 1] - bounds[s]; \
			if (n <= 0) continue; \
			uf *rest = scratch + bias_size(n, how.bias != NULL); \
			const head h = {n, d, ld, bounds[s] * ld + column * d, how, head_bias(how, n, heads, column, scratch)}; \
			body \
		}

static void attention(long t, long heads, long d, long sequences, const int32_t *bounds, const uf *q, const uf *k,
		const uf *v, float scale, long window, const uf *bias, long bias_rows, uf *out, uf *scratch) {
	const long ld = heads * d;
	const attending how = {scale, window, bias_rows, bias};
	clear_outside(t, ld, sequences, bounds, out);
	EACH_HEAD(attend(h, q, k, v, out, rest);)
}
