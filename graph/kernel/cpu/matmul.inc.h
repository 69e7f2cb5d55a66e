// The matrix product, blocked for the caches: c[m,n] = alpha·op(a)[m,k]·op(b)[k,n] (+ bias) (+ c).
//
// A block of the left operand, BLOCK_ROWS by block_depth(k), stays in the second cache while the strips of the right
// one pass; a strip stays in the first, or near it, while the panels of the left one pass. The left operand is read in
// place, or packed on the way where it is transposed and many strips use it. The right operand comes packed, is packed
// into scratch BLOCK_COLS columns at a time, or is read in place where few rows would use the copy.

enum {
	BLOCK_ROWS = 96,
	BLOCK_COLS = 512,
	IN_PLACE_ROWS = LANES == 16 ? 96 : 24,
	IN_PLACE_COLS = 2 * TILE_COLS,
};

// A left operand: element (i, p) is x[i·ld + p], or x[p·ld + i] where trans is set. With packed set, x holds panels as
// pack_panels writes them.
typedef struct {
	const uf *x;
	long ld;
	int trans, packed;
} left;

INLINE left left_from(left a, long i, long p) {
	a.x += a.trans ? p * a.ld + i : i * a.ld + p;
	return a;
}

// Rows are dealt to panels evenly, so that no tile is much lower than the others.
INLINE long panel_count(long m) { return (m + TILE_ROWS - 1) / TILE_ROWS; }
INLINE long panel_rows(long m, long panel) { long n = panel_count(m); return (m - panel + n - 1) / n; }

// Packs m rows of a transposed operand, panel by panel.
static left pack_panels(long m, long depth, left a, uf *to) {
	for (long i = 0, panel = 0; i < m; panel++) {
		const long rows = panel_rows(m, panel);
		pack_panel_trans(rows, depth, a.x + i, a.ld, to + i * depth);
		i += rows;
	}
	return (left){to, 0, 1, 1};
}

// Multiplies m rows of a by one strip.
static void multiply_strip(long m, long depth, left a, const uf *b, long ldb, uf *c, long ldc, long cols, epilogue e) {
	const int vecs = strip_vecs(cols);
	for (long i = 0, panel = 0; i < m; panel++) {
		const long rows = panel_rows(m, panel);
		const uf *x = a.packed ? a.x + i * depth : left_from(a, i, 0).x;
		tiles[rows - 1][a.trans][vecs - 1](depth, x, a.packed ? rows : a.ld, b, ldb, c + i * ldc, ldc, cols, &e);
		i += rows;
	}
}

// Multiplies m rows of a by a packed block of n columns.
static void multiply_block(long m, long n, long depth, left a, const uf *b, uf *c, long ldc, epilogue e) {
	for (long j = 0; j < n; j += TILE_COLS) {
		const long cols = min_long(TILE_COLS, n - j);
		multiply_strip(m, depth, a, b + strip_at(depth, j), strip_vecs(cols) * LANES, c + j, ldc, cols, e);
		if (e.bias) e.bias += TILE_COLS;
	}
}

// The epilogue of the block at depth p and column j.
INLINE epilogue epilogue_at(epilogue e, long p, long j) {
	if (p > 0) return (epilogue){e.alpha, 1, NULL};
	if (e.bias) e.bias += j;
	return e;
}

// b has been packed as a whole.
static void multiply_packed(long m, long n, long k, left a, const uf *b, uf *c, epilogue e) {
	const long depth = block_depth(k);
	for (long j = 0; j < n; j += BLOCK_COLS)
		for (long i = 0; i < m; i += BLOCK_ROWS)
			for (long p = 0; p < k || p == 0; p += depth) {
				const long rows = min_long(BLOCK_ROWS, m - i), cols = min_long(BLOCK_COLS, n - j);
				const long here = min_long(depth, k - p);
				multiply_block(rows, cols, here, left_from(a, i, p), b + block_size(p, n) + strip_at(here, j),
					c + i * n + j, n, epilogue_at(e, p, j));
			}
}

// b is packed on the way; so are a's panels where panels is not NULL.
static void multiply_packing(long m, long n, long k, left a, const uf *b, int trans_b, uf *c, epilogue e, uf *packed,
		uf *panels) {
	const long depth = block_depth(k), ldb = trans_b ? k : n;
	for (long j = 0; j < n; j += BLOCK_COLS)
		for (long p = 0; p < k || p == 0; p += depth) {
			const long cols = min_long(BLOCK_COLS, n - j), here = min_long(depth, k - p);
			pack_block(here, cols, trans_b ? b + j * ldb + p : b + p * ldb + j, ldb, trans_b, packed);
			for (long i = 0; i < m; i += BLOCK_ROWS) {
				const long rows = min_long(BLOCK_ROWS, m - i);
				left part = left_from(a, i, p);
				if (panels) part = pack_panels(rows, here, part, panels);
				multiply_block(rows, cols, here, part, packed, c + i * n + j, n, epilogue_at(e, p, j));
			}
		}
}

// b is read in place, but for columns that do not fill a vector.
static void multiply_in_place(long m, long n, long k, left a, const uf *b, uf *c, epilogue e, uf *packed) {
	const long depth = block_depth(k);
	for (long p = 0; p < k || p == 0; p += depth)
		for (long j = 0; j < n; j += TILE_COLS) {
			const long cols = min_long(TILE_COLS, n - j), here = min_long(depth, k - p);
			const uf *strip = b + p * n + j;
			long ldb = n;
			if (cols % LANES) {
				pack_strip(here, cols, strip, n, packed);
				strip = packed;
				ldb = strip_vecs(cols) * LANES;
			}
			multiply_strip(m, here, left_from(a, 0, p), strip, ldb, c + j, n, cols, epilogue_at(e, p, j));
		}
}

// How a product is taken, and the floats of scratch that each part needs.
typedef struct {
	int swap;      // cᵀ = op(b)ᵀ·op(a)ᵀ is taken instead: a is a right operand in place, b a left one
	int in_place;  // b is read in place
	long packed, panels, product;
} plan;

static plan plan_for(long m, long n, long k, int trans_a, int trans_b, int has_packed) {
	const long depth = block_depth(k);
	plan how = {0};
	if (has_packed) return how;
	if (trans_a && n <= LANES && m >= 2 * LANES) {
		how.swap = 1;
		how.product = round_up(n * m, 16);
	} else if (!trans_b && m <= IN_PLACE_ROWS) {
		how.in_place = 1;
	}
	if (how.swap || how.in_place) {
		how.packed = depth * TILE_COLS;
	} else {
		how.packed = block_size(depth, min_long(n, BLOCK_COLS));
		if (trans_a && n > IN_PLACE_COLS) how.panels = round_up(min_long(m, BLOCK_ROWS) * depth + LANES, 16);
	}
	return how;
}

static long matmul_scratch(long m, long n, long k, int trans_a, int trans_b, int has_packed) {
	const plan how = plan_for(m, n, k, trans_a, trans_b, has_packed);
	return how.packed + how.panels + how.product;
}

static void matmul(long m, long n, long k, const uf *a, int trans_a, const uf *b, int trans_b, const uf *packed, uf *c,
		float alpha, const uf *bias, int accumulate, uf *scratch) {
	const epilogue e = {alpha, accumulate, bias};
	const left x = {a, trans_a ? m : k, trans_a, 0};
	const plan how = plan_for(m, n, k, trans_a, trans_b, packed != NULL);
	uf *panels = scratch + how.packed, *product = panels + how.panels;
	if (packed) {
		multiply_packed(m, n, k, x, packed, c, e);
	} else if (how.swap) {
		const left y = {b, trans_b ? k : n, !trans_b, 0};
		multiply_in_place(n, m, k, y, a, product, (epilogue){1, 0, NULL}, scratch);
		for (long i = 0; i < m; i++)
			for (long j = 0; j < n; j++) {
				float sum = alpha * product[j * m + i] + (bias ? bias[j] : 0);
				c[i * n + j] = accumulate ? c[i * n + j] + sum : sum;
			}
	} else if (how.in_place) {
		multiply_in_place(m, n, k, x, b, c, e, scratch);
	} else {
		multiply_packing(m, n, k, x, b, trans_b, c, e, scratch, how.panels ? panels : NULL);
	}
}
