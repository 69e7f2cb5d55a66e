// Register tiles of the matrix product: c[rows, cols] (+)= alpha·a[rows, kc]·b[kc, cols] (+ bias).
//
// b is a strip of one or two vectors: row p starts at b + p·ldb, and holds zeros (or anything, if the row goes on)
// beyond cols. a is read in place, one element at a time, and broadcast: element (i, p) is a[i·lda + p], or
// a[p·lda + i] where a is transposed. Each sum runs over p in order, so that a row's result does not depend on which
// tile computes it.

#define TILE_COLS (2 * LANES)

// What becomes of the sums.
typedef struct {
	float alpha;
	int accumulate;  // add to what c holds
	const uf *bias;  // a row of cols elements, or NULL
} epilogue;

// Stores the sums of a tile with what the epilogue adds.
INLINE void finish(const int rows, const int vecs, vec sum[TILE_ROWS][2], uf *c, long ldc, long cols,
		const epilogue *e) {
	const long last = cols - (vecs - 1) * LANES;  // columns in the last vector
	vec bias[2] = {{0}, {0}};
	if (e->bias) {
		if (vecs == 2) bias[0] = load(e->bias);
		const uf *end = e->bias + (vecs - 1) * LANES;
		bias[vecs - 1] = last == LANES ? load(end) : load_part(end, last);
	}
	const vec alpha = splat(e->alpha);
	UNROLL for (int i = 0; i < rows; i++, c += ldc) UNROLL for (int v = 0; v < vecs; v++) {
		vec x = alpha * sum[i][v] + bias[v];
		uf *to = c + v * LANES;
		if (v < vecs - 1 || last == LANES) {
			if (e->accumulate) x += load(to);
			store(to, x);
		} else {
			if (e->accumulate) x += load_part(to, last);
			store_part(to, x, last);
		}
	}
}

INLINE void tile(const int rows, const int vecs, const int trans, long kc, const uf *a, long lda, const uf *b, long ldb,
		uf *c, long ldc, long cols, const epilogue *e) {
	vec sum[TILE_ROWS][2];
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < vecs; v++) sum[i][v] = (vec){0};
	for (long p = 0; p < kc; p++, b += ldb) {
		vec row[2];
		UNROLL for (int v = 0; v < vecs; v++) row[v] = load(b + v * LANES);
		UNROLL for (int i = 0; i < rows; i++) {
			vec x = splat(trans ? a[p * lda + i] : a[i * lda + p]);
			UNROLL for (int v = 0; v < vecs; v++) sum[i][v] += x * row[v];
		}
	}
	finish(rows, vecs, sum, c, ldc, cols, e);
}

typedef void tile_func(long kc, const uf *a, long lda, const uf *b, long ldb, uf *c, long ldc, long cols,
	const epilogue *e);

#define TILE(rows, vecs, trans) \
	static void tile_##rows##_##vecs##_##trans(long kc, const uf *a, long lda, const uf *b, long ldb, uf *c, long ldc, \
			long cols, const epilogue *e) { \
		tile(rows, vecs, trans, kc, a, lda, b, ldb, c, ldc, cols, e); \
	}
#define TILES(rows) TILE(rows, 1, 0) TILE(rows, 2, 0) TILE(rows, 1, 1) TILE(rows, 2, 1)
#define TILE_NAMES(rows) {{tile_##rows##_1_0, tile_##rows##_2_0}, {tile_##rows##_1_1, tile_##rows##_2_1}}

TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#if TILE_ROWS == 12
TILES(7) TILES(8) TILES(9) TILES(10) TILES(11) TILES(12)
#endif

// tiles[rows - 1][trans][vecs - 1]
static tile_func *const tiles[TILE_ROWS][2][2] = {
	TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3), TILE_NAMES(4), TILE_NAMES(5), TILE_NAMES(6),
#if TILE_ROWS == 12
	TILE_NAMES(7), TILE_NAMES(8), TILE_NAMES(9), TILE_NAMES(10), TILE_NAMES(11), TILE_NAMES(12),
#endif
};
