// The matrix product with a right operand packed as bf16 and a left one rounded to bf16: sums in float32.
//
// A block of the left operand is rounded into scratch while the second cache holds it, and meets every strip of the
// right one there. With BF16_DOT the tiles take pairs; elsewhere they are those of float32, on a strip that is widened
// once for a block of rows.

enum { BLOCK_ROWS_BF16 = 96 };

#ifdef BF16_DOT

// c[rows, cols] (+)= alpha·a·b as tile does, for rows of pairs: pair p of row i is a[i·lda + p], and row p of the strip
// b has vecs vectors of pairs.
INLINE void tile_pairs(const int rows, const int vecs, long pairs, const pair *a, long lda, const pair *b, uf *c,
		long ldc, long cols, const epilogue *e) {
	vec sum[TILE_ROWS][2];
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < vecs; v++) sum[i][v] = (vec){0};
	for (long p = 0; p < pairs; p++, b += vecs * LANES) {
		bits row[2];
		UNROLL for (int v = 0; v < vecs; v++) row[v] = load_pairs(b + v * LANES);
		UNROLL for (int i = 0; i < rows; i++) {
			const bits x = a[i * lda + p] - (bits){0};
			UNROLL for (int v = 0; v < vecs; v++)
				sum[i][v] = _mm512_dpbf16_ps(sum[i][v], (__m512bh)x, (__m512bh)row[v]);
		}
	}
	finish(rows, vecs, sum, c, ldc, cols, e);
}

typedef void tile_pairs_func(long pairs, const pair *a, long lda, const pair *b, uf *c, long ldc, long cols,
	const epilogue *e);

#define TILE_PAIRS(rows, vecs) \
	static void tile_pairs_##rows##_##vecs(long pairs, const pair *a, long lda, const pair *b, uf *c, long ldc, \
			long cols, const epilogue *e) { \
		tile_pairs(rows, vecs, pairs, a, lda, b, c, ldc, cols, e); \
	}
#define TILES_PAIRS(rows) TILE_PAIRS(rows, 1) TILE_PAIRS(rows, 2)
#define TILE_PAIRS_NAMES(rows) {tile_pairs_##rows##_1, tile_pairs_##rows##_2}

TILES_PAIRS(1) TILES_PAIRS(2) TILES_PAIRS(3) TILES_PAIRS(4) TILES_PAIRS(5) TILES_PAIRS(6)
TILES_PAIRS(7) TILES_PAIRS(8) TILES_PAIRS(9) TILES_PAIRS(10) TILES_PAIRS(11) TILES_PAIRS(12)

// tiles_pairs[rows - 1][vecs - 1]
static tile_pairs_func *const tiles_pairs[TILE_ROWS][2] = {
	TILE_PAIRS_NAMES(1), TILE_PAIRS_NAMES(2), TILE_PAIRS_NAMES(3), TILE_PAIRS_NAMES(4), TILE_PAIRS_NAMES(5),
	TILE_PAIRS_NAMES(6), TILE_PAIRS_NAMES(7), TILE_PAIRS_NAMES(8), TILE_PAIRS_NAMES(9), TILE_PAIRS_NAMES(10),
	TILE_PAIRS_NAMES(11), TILE_PAIRS_NAMES(12),
};

// The words of a rounded row of depth elements: whole vectors, since the last store may pass the row's end.
INLINE long rounded_stride(long depth) { return round_up(pairs_of(depth), LANES); }

static void round_row(long depth, const uf *x, uf *to) {
	pair *pairs = (pair *)to;
	for (long p = 0; p < depth; p += 2 * LANES, pairs += LANES) {
		const long left = depth - p;
		const vec first = left >= LANES ? load(x + p) : load_part(x + p, left);
		vec second = {0};
		if (left >= 2 * LANES) second = load(x + p + LANES);
		else if (left > LANES) second = load_part(x + p + LANES, left - LANES);
		store_pairs(pairs, (bits)_mm512_cvtne2ps_pbh(second, first));
	}
}

// The floats of scratch that a strip takes beside the rounded rows.
INLINE long widened_size(long depth) { (void)depth; return 0; }

static void multiply_rounded(long m, long pairs, const uf *a, long lda, const pair *b, int vecs, uf *c, long ldc,
		long cols, const epilogue *e, uf *scratch) {
	(void)scratch;
	for (long i = 0, panel = 0; i < m; panel++) {
		const long rows = panel_rows(m, panel);
		tiles_pairs[rows - 1][vecs - 1](pairs, (const pair *)a + i * lda, lda, b, c + i * ldc, ldc, cols, e);
		i += rows;
	}
}

#else

INLINE long rounded_stride(long depth) { return round_up(2 * pairs_of(depth), LANES); }

static void round_row(long depth, const uf *x, uf *to) {
	for (long p = 0; p < 2 * pairs_of(depth); p += LANES) {
		const long left = depth - p;
		const vec part = left >= LANES ? load(x + p) : left > 0 ? load_part(x + p, left) : (vec){0};
		store(to + p, (vec)round_bf16(part));
	}
}

INLINE long widened_size(long depth) { return block_size(2 * pairs_of(depth), TILE_COLS); }

static void multiply_rounded(long m, long pairs, const uf *a, long lda, const pair *b, int vecs, uf *c, long ldc,
		long cols, const epilogue *e, uf *scratch) {
	const long width = vecs * LANES;
	uf *to = scratch;
	for (long p = 0; p < pairs; p++, to += 2 * width)
		for (long i = 0; i < width; i += LANES, b += LANES) {
			const bits x = load_pairs(b);
			store(to + i, (vec)(x << 16));
			store(to + width + i, (vec)(x & 0xffff0000u));
		}
	multiply_strip(m, 2 * pairs, (left){a, lda, 0, 0}, scratch, width, c, ldc, cols, *e);
}

#endif

static long matmul_bf16_scratch(long m, long k) {
	const long depth = min_long(k, paired_depth(k));
	return min_long(m, BLOCK_ROWS_BF16) * rounded_stride(depth) + widened_size(depth) + round_up(depth, 16);
}

// Rounds rows of depth elements of a; row is scratch for one of an operand that is stored transposed.
static void round_rows(long rows, long depth, left a, uf *to, uf *row) {
	const long stride = rounded_stride(depth);
	for (long i = 0; i < rows; i++, to += stride) {
		const uf *x = left_from(a, i, 0).x;
		if (a.trans) {
			for (long p = 0; p < depth; p++) row[p] = x[p * a.ld];
			x = row;
		}
		round_row(depth, x, to);
	}
}

static void matmul_bf16(long m, long n, long k, const uf *a, int trans_a, const uf *packed, uf *c, float alpha,
		const uf *bias, int accumulate, uf *scratch) {
	const epilogue whole = {alpha, accumulate, bias};
	const left x = {a, trans_a ? m : k, trans_a, 0};
	const long depth = paired_depth(k), widest = min_long(k, depth);
	uf *row = scratch, *widened = row + round_up(widest, 16), *rounded = widened + widened_size(widest);
	for (long i = 0; i < m; i += BLOCK_ROWS_BF16)
		for (long p = 0; p < k || p == 0; p += depth) {
			const long rows = min_long(BLOCK_ROWS_BF16, m - i), here = min_long(depth, k - p), pairs = pairs_of(here);
			round_rows(rows, here, left_from(x, i, p), rounded, row);
			for (long j = 0; j < n; j += TILE_COLS) {
				const long cols = min_long(TILE_COLS, n - j);
				const pair *strip = (const pair *)packed + block_size(p / 2, n) + strip_at(pairs, j);
				const epilogue e = epilogue_at(whole, p, j);
				multiply_rounded(rows, pairs, rounded, rounded_stride(here), strip, strip_vecs(cols), c + i * n + j, n,
					cols, &e, widened);
			}
		}
}
