// The gradients of attention. With P the probabilities, taken anew, and A = dy·vᵀ,
//
//	dv = Pᵀ·dy;  dS = P ⊙ (A − rowsum(P ⊙ A));  dq = scale·dS·k;  dk = scale·dSᵀ·q;  dbias = Σ dS, by key − query.
//
// A block of query rows at a time, so that P and A stay in the second cache.

// The query rows of a block, for sequences of n rows: P and A together take up to 256 KiB, but two tiles at least.
INLINE long grad_rows(long n, long window) {
	if (window) return min_long(n, WINDOW_ROWS);
	const long fit = 32768 / score_stride(n);
	return min_long(n, fit > 2 * TILE_ROWS ? fit : 2 * TILE_ROWS);
}

static long attention_scratch(long longest, long d, long window, int bias, int grad) {
	const long rows = grad ? grad_rows(longest, window) : block_queries(longest, window);
	const long most = most_keys(longest, rows, window), stride = score_stride(most);
	const long packed = block_size(d, most) + block_size(most, d);
	if (!grad) return bias_size(longest, bias) + packed + TILE_ROWS * stride;
	// A block of a shorter sequence may be the larger one; none passes this.
	const long scores = window ? rows * stride : min_long(longest * stride, 32768 + 2 * TILE_ROWS * stride);
	return 2 * bias_size(longest, bias) + 2 * packed + 2 * scores;
}

// Replaces a row of A by scale·dS. Both are whole vectors; P is zero beyond n, and A repeats its last column there.
static void softmax_row_grad(long n, float scale, const uf *p, uf *a) {
	vec sum = {0};
	for (long i = 0; i < n; i += LANES) sum += load(p + i) * load(a + i);
	const float mean = sum_lanes(sum);
	for (long i = 0; i < n; i += LANES) store(a + i, load(p + i) * scale * (load(a + i) - mean));
}

// Adds pᵀ·x to c (or writes it), for p of rows by n, score_stride(n) apart, and x of rows by d, packed.
static void multiply_trans(long rows, head h, long n, const uf *p, const uf *x, uf *c, int accumulate) {
	multiply_block(n, h.d, rows, (left){p, score_stride(n), 1, 0}, x, c, h.ld, (epilogue){1, accumulate, NULL});
}

// Clears a head's rows of an output.
static void clear_head(head h, uf *out) {
	for (long i = 0; i < h.n; i++) memset(out + h.at + i * h.ld, 0, h.d * sizeof *out);
}

// The parts of scratch that a head's gradients take. The transposes are packed for a block's keys.
typedef struct {
	long block;
	uf *keys_trans, *values_trans, *keys, *rows, *p, *a;
} grad_scratch;

static grad_scratch grad_parts(head h, uf *scratch) {
	grad_scratch g = {.block = grad_rows(h.n, h.how.window)};
	const long most = most_keys(h.n, g.block, h.how.window);
	g.keys_trans = scratch;
	g.values_trans = g.keys_trans + block_size(h.d, most);
	g.keys = g.values_trans + block_size(h.d, most);
	g.rows = g.keys + block_size(most, h.d);
	g.p = g.rows + block_size(g.block, h.d);
	g.a = g.p + g.block * score_stride(most);
	return g;
}

// Fills g.p with the probabilities of rows queries from number i on, and g.a with scale times the scores' gradients.
static keys score_grads(head h, grad_scratch g, long i, long rows, const uf *q, const uf *k, const uf *v, const uf *dy,
		float scale) {
	const keys seen = keys_of(h, i, rows);
	const long at = h.at + i * h.ld, from = h.at + seen.lo * h.ld, stride = score_stride(seen.n);
	if (i == 0 || h.how.window) {
		pack_block(h.d, seen.n, k + from, h.ld, 1, g.keys_trans);
		pack_block(h.d, seen.n, v + from, h.ld, 1, g.values_trans);
	}
	probabilities(rows, h, i, seen, q + at, g.keys_trans, g.p);
	multiply_rows(rows, stride, h.d, dy + at, h.ld, g.values_trans, g.a, stride, 1);
	for (long r = 0; r < rows; r++) softmax_row_grad(seen.n, scale, g.p + r * stride, g.a + r * stride);
	return seen;
}

// out holds dq, dk and dv, size elements each.
static void attend_grad(head h, const uf *q, const uf *k, const uf *v, const uf *dy, long size, uf *out, uf *scratch) {
	const grad_scratch g = grad_parts(h, scratch);
	const int window = h.how.window != 0;
	if (window) {
		clear_head(h, out + size);
		clear_head(h, out + 2 * size);
	}
	for (long i = 0; i < h.n; i += g.block) {
		const long rows = min_long(g.block, h.n - i), at = h.at + i * h.ld;
		const keys seen = score_grads(h, g, i, rows, q, k, v, dy, h.how.scale);
		const long from = h.at + seen.lo * h.ld;
		uf *dq = out + at, *dk = out + size + from, *dv = dk + size;
		if (i == 0 || window) pack_block(seen.n, h.d, k + from, h.ld, 0, g.keys);
		pack_block(rows, h.d, dy + at, h.ld, 0, g.rows);
		multiply_trans(rows, h, seen.n, g.p, g.rows, dv, window || i > 0);
		multiply_rows(rows, h.d, seen.n, g.a, score_stride(seen.n), g.keys, dq, h.ld, 1);
		pack_block(rows, h.d, q + at, h.ld, 0, g.rows);
		multiply_trans(rows, h, seen.n, g.a, g.rows, dk, window || i > 0);
	}
}

static void attention_grad(long t, long heads, long d, long sequences, const int32_t *bounds, const uf *q, const uf *k,
		const uf *v, const uf *dy, float scale, long window, const uf *bias, long bias_rows, uf *out, uf *scratch) {
	const long ld = heads * d, size = t * ld;
	const attending how = {scale, window, bias_rows, bias};
	for (int i = 0; i < 3; i++) clear_outside(t, ld, sequences, bounds, out + i * size);
	EACH_HEAD(attend_grad(h, q, k, v, dy, size, out, rest);)
}

// Adds the scores' gradients of a head up by key − query, in sums, of which the middle one is at h.n − 1.
static void bias_grad(head h, const uf *q, const uf *k, const uf *v, const uf *dy, uf *sums, uf *scratch) {
	const grad_scratch g = grad_parts(h, scratch);
	memset(sums, 0, (2 * h.n - 1) * sizeof *sums);
	for (long i = 0; i < h.n; i += g.block) {
		const long rows = min_long(g.block, h.n - i);
		const keys seen = score_grads(h, g, i, rows, q, k, v, dy, 1);
		for (long r = 0; r < rows; r++)
			add(seen.n, sums + seen.lo - i - r + h.n - 1, g.a + r * score_stride(seen.n), sums + seen.lo - i - r + h.n - 1);
	}
}

// out is of bias's shape.
static void attention_bias_grad(long t, long heads, long d, long sequences, const int32_t *bounds, const uf *q,
		const uf *k, const uf *v, const uf *dy, float scale, long window, const uf *bias, long bias_rows, uf *out,
		uf *scratch) {
	const long ld = heads * d;
	const attending how = {scale, window, bias_rows, bias};
	(void)t;
	memset(out, 0, bias_rows * heads * sizeof *out);
	EACH_HEAD({
		uf *to = out + (bias_rows / 2 - (n - 1)) * heads + column;
		bias_grad(h, q, k, v, dy, rest, rest + bias_size(n, 1));
		for (long i = 0; i < 2 * n - 1; i++) to[i * heads] += rest[i];
	})
}
