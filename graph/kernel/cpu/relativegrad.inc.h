// The gradients of attention with terms of relative positions. With dS as in attention's gradients,
// dC[i, r] = Σ_j dS[i, j] over the keys j whose row at distance i − j is r, and dB[j, r] = Σ_i dS[i, j] alike,
//
//	dq = dS·k + dC·keys;  dk = dSᵀ·q + dB·queries;  dkeys = dCᵀ·q;  dqueries = dBᵀ·k.

static long relative_scratch(long longest, long d, long key_span, long query_span, int grad) {
	long size = attention_scratch(longest, d, 0, 0, grad) +
		term_size(longest, grad ? longest : TILE_ROWS, d, key_span, query_span);
	if (grad) size += block_size(key_span, d) + block_size(query_span, d) + longest * score_stride(query_span);
	return size;
}

// Adds dS, rows by n, of query rows i on, to dC (which it clears first) and dB.
static void gather_terms(long i, long rows, head h, positions keys, uf *dc, positions queries, uf *db, const uf *ds) {
	const long stride = score_stride(h.n), lc = score_stride(keys.count), lb = score_stride(queries.count);
	if (keys.count) {
		memset(dc, 0, rows * lc * sizeof *dc);
		for (long r = 0; r < rows; r++) {
			const uf *row = ds + r * stride;
			uf *to = dc + r * lc;
			const int32_t *at = keys.rows + i + r;
			for (long j = 0; j < h.n; j++) to[at[-j] - keys.first] += row[j];
		}
	}
	if (queries.count)
		for (long j = 0; j < h.n; j++) {
			uf *to = db + j * lb;
			const int32_t *at = queries.rows + i - j;
			for (long r = 0; r < rows; r++) to[at[r] - queries.first] += ds[r * stride + j];
		}
}

// out holds dq, dk and dv, size elements each; dkeys and dqueries are the head's columns of row 0, or NULL.
static void attend_relative_grad(head h, long column, const uf *q, const uf *k, const uf *v, positions keys,
		positions queries, const uf *dy, long size, uf *out, uf *dkeys, uf *dqueries, uf *scratch) {
	const long stride = score_stride(h.n), block = grad_rows(h.n, 0);
	const long lc = score_stride(keys.count), lb = score_stride(queries.count);
	uf *keys_trans = scratch, *values_trans = keys_trans + block_size(h.d, h.n);
	uf *content = values_trans + block_size(h.d, h.n), *rows_packed = content + block_size(h.n, h.d);
	uf *p = rows_packed + block_size(block, h.d), *a = p + block * stride;
	uf *key_rows = a + block * stride, *query_rows = key_rows + block_size(keys.count, h.d);
	uf *db = query_rows + block_size(queries.count, h.d);
	const term_scratch t = take_terms(h, column, k, keys, queries, block, db + h.n * lb);
	uf *dq = out + h.at, *dk = dq + size, *dv = dk + size;
	pack_block(h.d, h.n, k + h.at, h.ld, 1, keys_trans);
	pack_block(h.d, h.n, v + h.at, h.ld, 1, values_trans);
	pack_block(h.n, h.d, k + h.at, h.ld, 0, content);
	pack_positions(keys, h, column, 0, key_rows);
	pack_positions(queries, h, column, 0, query_rows);
	memset(db, 0, h.n * lb * sizeof *db);
	const epilogue add = {1, 1, NULL};
	for (long i = 0; i < h.n; i += block) {
		const long rows = min_long(block, h.n - i), at = h.at + i * h.ld;
		relative_probabilities(i, rows, h, q + at, keys_trans, keys, queries, t, p);
		pack_block(rows, h.d, dy + at, h.ld, 0, rows_packed);
		multiply_trans(rows, h, h.n, p, rows_packed, dv, i > 0);
		multiply_rows(rows, stride, h.d, dy + at, h.ld, values_trans, a, stride, 1);
		for (long r = 0; r < rows; r++) softmax_row_grad(h.n, h.how.scale, p + r * stride, a + r * stride);
		multiply_rows(rows, h.d, h.n, a, stride, content, dq + i * h.ld, h.ld, 1);
		pack_block(rows, h.d, q + at, h.ld, 0, rows_packed);
		multiply_trans(rows, h, h.n, a, rows_packed, dk, i > 0);
		gather_terms(i, rows, h, keys, t.c, queries, db, a);
		if (keys.count) {
			multiply_block(rows, h.d, keys.count, (left){t.c, lc, 0, 0}, key_rows, dq + i * h.ld, h.ld, add);
			if (dkeys)
				multiply_block(keys.count, h.d, rows, (left){t.c, lc, 1, 0}, rows_packed, dkeys + keys.first * h.ld, h.ld, add);
		}
	}
	if (queries.count) {
		multiply_block(h.n, h.d, queries.count, (left){db, lb, 0, 0}, query_rows, dk, h.ld, add);
		if (dqueries)
			multiply_block(queries.count, h.d, h.n, (left){db, lb, 1, 0}, content, dqueries + queries.first * h.ld, h.ld, add);
	}
}

static void relative_grad(long t, long heads, long d, long sequences, const int32_t *bounds, const uf *q, const uf *k,
		const uf *v, const uf *keys, const int32_t *key_rows, const uf *queries, const int32_t *query_rows, const uf *dy,
		float scale, uf *out, uf *keys_out, uf *queries_out, uf *scratch) {
	const long ld = heads * d, size = t * ld;
	for (int i = 0; i < 3; i++) clear_outside(t, ld, sequences, bounds, out + i * size);
	for (long s = 0; s < sequences; s++) {
		const long n = bounds[s + 1] - bounds[s];
		const positions ks = positions_of(keys, key_rows, n), qs = positions_of(queries, query_rows, n);
		for (long i = 0; i < heads && n > 0; i++)
			attend_relative_grad((head){n, d, ld, bounds[s] * ld + i * d, {.scale = scale}, NULL}, i * d, q, k, v, ks, qs, dy, size, out,
				keys_out ? keys_out + i * d : NULL, queries_out ? queries_out + i * d : NULL, scratch);
	}
}
