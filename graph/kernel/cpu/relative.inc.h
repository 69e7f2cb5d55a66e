// Attention with terms of relative positions in its scores: for query i and key j,
//
//	scale·(q_i·k_j + q_i·keys[key_rows[i − j]] + queries[query_rows[i − j]]·k_j).
//
// A sequence takes a range of the rows of keys and queries. c = scale·q·keysᵀ is taken over that range for each panel of
// query rows, b = scale·k·queriesᵀ once for each head; the scores then gather from both.

// One term: the rows that a sequence takes are count, from first on.
typedef struct {
	const uf *x;          // NULL without the term
	const int32_t *rows;  // by distance, of either sign
	long first, count;
} positions;

static positions positions_of(const uf *x, const int32_t *rows, long n) {
	if (!x || n == 0) return (positions){0};
	long low = rows[0], high = rows[0];
	for (long i = 1; i < n; i++) {
		const long a = rows[i], b = rows[-i];
		if (a < low) low = a;
		if (a > high) high = a;
		if (b < low) low = b;
		if (b > high) high = b;
	}
	return (positions){x, rows, low, high - low + 1};
}

// The head's part of the rows that are taken.
INLINE const uf *positions_at(positions p, head h, long column) { return p.x + p.first * h.ld + column; }

// Packs op(rows that are taken): turned, for products with them, or as they are.
static void pack_positions(positions p, head h, long column, int trans, uf *to) {
	if (p.count == 0) return;
	if (trans)
		pack_block(h.d, p.count, positions_at(p, h, column), h.ld, 1, to);
	else
		pack_block(p.count, h.d, positions_at(p, h, column), h.ld, 0, to);
}

// Adds the terms to the scores of query rows i to i + rows, score_stride(n) apart, of which those beyond n become repeats
// of the last again. c is of these rows, b of all keys.
static void add_terms(long i, long rows, head h, positions keys, const uf *c, positions queries, const uf *b, uf *s) {
	const long stride = score_stride(h.n), lc = score_stride(keys.count), lb = score_stride(queries.count);
	for (long r = 0; r < rows; r++) {
		uf *row = s + r * stride;
		if (keys.count) {
			const uf *from = c + r * lc;
			const int32_t *at = keys.rows + i + r;
			for (long j = 0; j < h.n; j++) row[j] += from[at[-j] - keys.first];
		}
	}
	if (queries.count)
		for (long j = 0; j < h.n; j++) {
			const uf *from = b + j * lb;
			const int32_t *at = queries.rows + i - j;
			for (long r = 0; r < rows; r++) s[r * stride + j] += from[at[r] - queries.first];
		}
	for (long r = 0; r < rows; r++)
		for (long j = h.n; j < stride; j++) s[r * stride + j] = s[r * stride + h.n - 1];
}

// The scratch that the terms of a head need, in turn.
typedef struct {
	uf *keys, *queries;  // packed: turned
	uf *c, *b;
} term_scratch;

static long term_size(long n, long rows, long d, long key_span, long query_span) {
	return block_size(d, key_span) + block_size(d, query_span) + rows * score_stride(key_span) + n * score_stride(query_span);
}

// Packs the positions and takes b.
static term_scratch take_terms(head h, long column, const uf *k, positions keys, positions queries, long rows, uf *scratch) {
	term_scratch t = {.keys = scratch};
	t.queries = t.keys + block_size(h.d, keys.count);
	t.c = t.queries + block_size(h.d, queries.count);
	t.b = t.c + rows * score_stride(keys.count);
	pack_positions(keys, h, column, 1, t.keys);
	pack_positions(queries, h, column, 1, t.queries);
	if (queries.count)
		multiply_rows(h.n, score_stride(queries.count), h.d, k + h.at, h.ld, t.queries, t.b, score_stride(queries.count), h.how.scale);
	return t;
}

// probabilities with the terms, for query rows i to i + rows.
static void relative_probabilities(long i, long rows, head h, const uf *q, const uf *keys_packed, positions keys,
		positions queries, term_scratch t, uf *p) {
	const long stride = score_stride(h.n), lc = score_stride(keys.count);
	multiply_rows(rows, stride, h.d, q, h.ld, keys_packed, p, stride, h.how.scale);
	if (keys.count) multiply_rows(rows, lc, h.d, q, h.ld, t.keys, t.c, lc, h.how.scale);
	add_terms(i, rows, h, keys, t.c, queries, t.b, p);
	for (long r = 0; r < rows; r++) softmax_row(h.n, p + r * stride);
}

static void attend_relative(head h, long column, const uf *q, const uf *k, const uf *v, positions keys, positions queries,
		uf *out, uf *scratch) {
	uf *packed = scratch, *values = packed + block_size(h.d, h.n), *scores = values + block_size(h.n, h.d);
	const term_scratch t = take_terms(h, column, k, keys, queries, TILE_ROWS, scores + TILE_ROWS * score_stride(h.n));
	pack_block(h.d, h.n, k + h.at, h.ld, 1, packed);
	pack_block(h.n, h.d, v + h.at, h.ld, 0, values);
	for (long i = 0, panel = 0; i < h.n; panel++) {
		const long rows = panel_rows(h.n, panel), at = h.at + i * h.ld;
		relative_probabilities(i, rows, h, q + at, packed, keys, queries, t, scores);
		multiply_rows(rows, h.d, h.n, scores, score_stride(h.n), values, out + at, h.ld, 1);
		i += rows;
	}
}

static void relative(long t, long heads, long d, long sequences, const int32_t *bounds, const uf *q, const uf *k,
		const uf *v, const uf *keys, const int32_t *key_rows, const uf *queries, const int32_t *query_rows, float scale,
		uf *out, uf *scratch) {
	const long ld = heads * d;
	clear_outside(t, ld, sequences, bounds, out);
	for (long s = 0; s < sequences; s++) {
		const long n = bounds[s + 1] - bounds[s];
		const positions ks = positions_of(keys, key_rows, n), qs = positions_of(queries, query_rows, n);
		for (long i = 0; i < heads && n > 0; i++)
			attend_relative((head){n, d, ld, bounds[s] * ld + i * d, {.scale = scale}, NULL}, i * d, q, k, v, ks, qs, out, scratch);
	}
}
