// Packing operands of the matrix product for the tiles.
//
// A packed right operand [k, n] is cut into blocks of block_depth(k) rows; each block holds strips of TILE_COLS columns
// one after the other, a strip its rows. The last strip is LANES wide where that suffices. What lies beyond column n is
// arbitrary: the tiles never store what they make of it.

// The number of rows in a block of k (the last may be shorter): so few that a strip of the right operand stays in the
// first cache or close to it while the panels of the left operand pass, and all blocks about equal. At least 1.
enum { MAX_DEPTH = 384 };

INLINE long block_depth(long k) {
	const long blocks = (k + MAX_DEPTH - 1) / MAX_DEPTH;
	return blocks > 0 ? (k + blocks - 1) / blocks : 1;
}

// The width of a strip that holds cols columns, in vectors.
INLINE int strip_vecs(long cols) { return cols > LANES ? 2 : 1; }

// The floats that a packed block of rows by cols takes, and the place of the strip at column j in it.
INLINE long block_size(long rows, long cols) { return rows * round_up(cols, LANES); }
INLINE long strip_at(long rows, long j) { return rows * j; }

// Copies a strip of cols columns of b, rows by rows.
static void pack_strip(long rows, long cols, const uf *b, long ldb, uf *to) {
	const long width = strip_vecs(cols) * LANES, tail = width - LANES;
	const long last = cols - tail;  // columns in the last vector
	for (long p = 0; p < rows; p++, b += ldb, to += width) {
		if (tail) store(to, load(b));
		store(to + tail, last == LANES ? load(b + tail) : load_part(b + tail, last));
	}
}

// Copies a strip of the transpose of b: column j is row j of b. Columns beyond the last repeat it.
static void pack_strip_trans(long rows, long cols, const uf *b, long ldb, uf *to) {
	const long width = strip_vecs(cols) * LANES;
	for (long j = 0; j < width; j += LANES, to += LANES) {
		const uf *row[LANES];
		for (long i = 0; i < LANES; i++) row[i] = b + min_long(j + i, cols - 1) * ldb;
		long p = 0;
		for (; p + 4 <= rows; p += 4) transpose_quads(row, p, to + p * width, width);
		for (; p < rows; p++)
			for (long i = 0; i < LANES; i++) to[p * width + i] = row[i][p];
	}
}

// Packs a block of op(b): rows by cols, from (row, col) on.
static void pack_block(long rows, long cols, const uf *b, long ldb, int trans, uf *to) {
	for (long j = 0; j < cols; j += TILE_COLS) {
		const long width = min_long(TILE_COLS, cols - j);
		if (trans)
			pack_strip_trans(rows, width, b + j * ldb, ldb, to + strip_at(rows, j));
		else
			pack_strip(rows, width, b + j, ldb, to + strip_at(rows, j));
	}
}

static long pack_size(long k, long n) { return block_size(k, n); }

// Packs op(b), [k, n].
static void pack(long k, long n, const uf *b, int trans, uf *to) {
	const long ldb = trans ? k : n, depth = block_depth(k);
	for (long p = 0; p < k; p += depth) {
		const long rows = min_long(depth, k - p);
		pack_block(rows, n, trans ? b + p : b + p * ldb, ldb, trans, to + block_size(p, n));
	}
}

// Packs a panel of the left operand that is stored transposed: rows columns of a by depth of its rows. It is read and
// written whole vectors at a time, so that the next row overwrites what was too much: to needs LANES floats more.
static void pack_panel_trans(long rows, long depth, const uf *a, long lda, uf *to) {
	for (long p = 0; p < depth; p++, a += lda, to += rows)
		for (long i = 0; i < rows; i += LANES)
			store(to + i, rows - i >= LANES ? load(a + i) : load_part(a + i, rows - i));
}
