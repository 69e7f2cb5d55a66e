// The gradients of attention. With P the probabilities, taken anew, and A = dy·vᵀ,
//
//	dv = Pᵀ·dy;  dS = scale·P ⊙ (A − rowsum(P ⊙ A));  dq = dS·k;  dk = dSᵀ·q.
//
// A block of query rows at a time, so that P and A stay in the second cache.

// The query rows of a block, for sequences of n rows: P and A together take up to 256 KiB, but two tiles at least.
INLINE long grad_rows(long n) {
	const long fit = 32768 / score_stride(n);
	return min_long(n, fit > 2 * TILE_ROWS ? fit : 2 * TILE_ROWS);
}

static long attention_scratch(long longest, long d, int grad) {
	const long keys = block_size(d, longest), values = block_size(longest, d), stride = score_stride(longest);
	if (!grad) return keys + values + TILE_ROWS * stride;
	// A block of a shorter sequence may be the larger one; none passes this.
	const long scores = min_long(longest * stride, 32768 + 2 * TILE_ROWS * stride);
	return 2 * keys + 2 * values + 2 * scores;
}

// Replaces a row of A by dS. Both are whole vectors; P is zero beyond n, and A repeats its last column there.
static void softmax_row_grad(long n, float scale, const uf *p, uf *a) {
	vec sum = {0};
	for (long i = 0; i < n; i += LANES) sum += load(p + i) * load(a + i);
	const float mean = sum_lanes(sum);
	for (long i = 0; i < n; i += LANES) store(a + i, load(p + i) * scale * (load(a + i) - mean));
}

// Adds pᵀ·x to c (or writes it), for p of rows by n, score_stride(n) apart, and x of rows by d, packed.
static void multiply_trans(long rows, head h, const uf *p, const uf *x, uf *c, int accumulate) {
	multiply_block(h.n, h.d, rows, (left){p, score_stride(h.n), 1, 0}, x, c, h.ld, (epilogue){1, accumulate, NULL});
}

// out holds dq, dk and dv, size elements each.
static void attend_grad(head h, const uf *q, const uf *k, const uf *v, const uf *dy, long size, uf *out, uf *scratch) {
	const long stride = score_stride(h.n), block = grad_rows(h.n);
	uf *keys_trans = scratch, *values_trans = keys_trans + block_size(h.d, h.n);
	uf *keys = values_trans + block_size(h.d, h.n), *rows_packed = keys + block_size(h.n, h.d);
	uf *p = rows_packed + block_size(block, h.d), *a = p + block * stride;
	uf *dq = out + h.at, *dk = dq + size, *dv = dk + size;
	pack_block(h.d, h.n, k + h.at, h.ld, 1, keys_trans);
	pack_block(h.d, h.n, v + h.at, h.ld, 1, values_trans);
	pack_block(h.n, h.d, k + h.at, h.ld, 0, keys);
	for (long i = 0; i < h.n; i += block) {
		const long rows = min_long(block, h.n - i), at = h.at + i * h.ld;
		probabilities(rows, h, q + at, keys_trans, p);
		pack_block(rows, h.d, dy + at, h.ld, 0, rows_packed);
		multiply_trans(rows, h, p, rows_packed, dv, i > 0);
		multiply_rows(rows, stride, h.d, dy + at, h.ld, values_trans, a, stride, 1);
		for (long r = 0; r < rows; r++) softmax_row_grad(h.n, h.scale, p + r * stride, a + r * stride);
		multiply_rows(rows, h.d, h.n, a, stride, keys, dq + i * h.ld, h.ld, 1);
		pack_block(rows, h.d, q + at, h.ld, 0, rows_packed);
		multiply_trans(rows, h, a, rows_packed, dk, i > 0);
	}
}

static void attention_grad(long t, long heads, long d, long sequences, const int32_t *bounds, const uf *q, const uf *k,
		const uf *v, const uf *dy, float scale, uf *out, uf *scratch) {
	const long ld = heads * d, size = t * ld;
	for (int i = 0; i < 3; i++) clear_outside(t, ld, sequences, bounds, out + i * size);
	for (long s = 0; s < sequences; s++)
		for (long i = 0; i < heads; i++) {
			const head h = {bounds[s + 1] - bounds[s], d, ld, bounds[s] * ld + i * d, scale};
			if (h.n > 0) attend_grad(h, q, k, v, dy, size, out, scratch);
		}
}
