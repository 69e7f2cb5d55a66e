// Attention of one head of one sequence at a time: out = softmax(scale·q·kᵀ)·v.
//
// q, k, v and out are read and written in place, rows of heads·d columns. kᵀ and v are packed into scratch once for
// each head; then each panel of TILE_ROWS query rows has its scores taken, made probabilities and multiplied by v while
// they are in the first cache.

// A head of a sequence: n rows of d columns, in operands whose rows are ld apart. at is the place of its first element.
typedef struct {
	long n, d, ld, at;
	float scale;
} head;

// The distance between rows of scores.
INLINE long score_stride(long n) { return round_up(n, LANES); }

// Multiplies rows of a by a packed right operand of cols columns.
INLINE void multiply_rows(long rows, long cols, long depth, const uf *a, long lda, const uf *packed, uf *c, long ldc,
		float alpha) {
	multiply_block(rows, cols, depth, (left){a, lda, 0, 0}, packed, c, ldc, (epilogue){alpha, 0, NULL});
}

// Fills p, rows score_stride(n) apart, with the probabilities of query rows q. keys is kᵀ packed: the columns that it
// has beyond n, repeats of the last, fill the rows of p up.
static void probabilities(long rows, head h, const uf *q, const uf *keys, uf *p) {
	const long stride = score_stride(h.n);
	multiply_rows(rows, stride, h.d, q, h.ld, keys, p, stride, h.scale);
	for (long i = 0; i < rows; i++) softmax_row(h.n, p + i * stride);
}

static void attend(head h, const uf *q, const uf *k, const uf *v, uf *out, uf *scratch) {
	uf *keys = scratch, *values = keys + block_size(h.d, h.n), *scores = values + block_size(h.n, h.d);
	pack_block(h.d, h.n, k + h.at, h.ld, 1, keys);
	pack_block(h.n, h.d, v + h.at, h.ld, 0, values);
	for (long i = 0, panel = 0; i < h.n; panel++) {
		const long rows = panel_rows(h.n, panel), at = h.at + i * h.ld;
		probabilities(rows, h, q + at, keys, scores);
		multiply_rows(rows, h.d, h.n, scores, score_stride(h.n), values, out + at, h.ld, 1);
		i += rows;
	}
}

// Clears the rows of out that lie before the first sequence and after the last.
static void clear_outside(long t, long ld, long sequences, const int32_t *bounds, uf *out) {
	const long first = bounds[0], end = bounds[sequences];
	memset(out, 0, first * ld * sizeof *out);
	memset(out + end * ld, 0, (t - end) * ld * sizeof *out);
}

static void attention(long t, long heads, long d, long sequences, const int32_t *bounds, const uf *q, const uf *k,
		const uf *v, float scale, uf *out, uf *scratch) {
	const long ld = heads * d;
	clear_outside(t, ld, sequences, bounds, out);
	for (long s = 0; s < sequences; s++)
		for (long i = 0; i < heads; i++) {
			const head h = {bounds[s + 1] - bounds[s], d, ld, bounds[s] * ld + i * d, scale};
			if (h.n > 0) attend(h, q, k, v, out, scratch);
		}
}
