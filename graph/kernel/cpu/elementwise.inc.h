// Kernels that go once over their operands.

// Runs body for every vector of n elements, from i on. GET and PUT load and store in it: all lanes, or the width that is
// left at the end.
#define EACH_VEC(n, i, body) { \
	long i = 0; \
	for (; i + LANES <= (n); i += LANES) { \
		const long width = LANES; \
		(void)width; \
		body \
	} \
	if (i < (n)) { \
		const long width = (n) - i; \
		body \
	} \
}
#define GET(p) (width == LANES ? load(p) : load_part(p, width))
#define PUT(p, x) (width == LANES ? store(p, x) : store_part(p, x, width))

static void add(long n, const uf *a, const uf *b, uf *out) {
	EACH_VEC(n, i, PUT(out + i, GET(a + i) + GET(b + i));)
}

static void mul(long n, const uf *a, const uf *b, uf *out) {
	EACH_VEC(n, i, PUT(out + i, GET(a + i) * GET(b + i));)
}

static void scale(long n, const uf *x, float s, uf *out) {
	EACH_VEC(n, i, PUT(out + i, GET(x + i) * s);)
}

static void shift(long n, const uf *x, float c, uf *out) {
	EACH_VEC(n, i, PUT(out + i, GET(x + i) + c);)
}

static void add_scaled(long n, const uf *x, float s, uf *out) {
	EACH_VEC(n, i, PUT(out + i, GET(out + i) + GET(x + i) * s);)
}

static void add_row(long m, long n, const uf *x, const uf *row, uf *out) {
	for (long r = 0; r < m; r++) add(n, x + r * n, row, out + r * n);
}

static void mul_row(long m, long n, const uf *x, const uf *row, uf *out) {
	for (long r = 0; r < m; r++) mul(n, x + r * n, row, out + r * n);
}

// Four rows at a time, so that the sums are loaded and stored a quarter as often.
static void column_sum(long m, long n, const uf *x, uf *out) {
	memset(out, 0, n * sizeof *out);
	long r = 0;
	for (; r + 4 <= m; r += 4, x += 4 * n)
		EACH_VEC(n, i, {
			const uf *p = x + i;
			PUT(out + i, GET(out + i) + ((GET(p) + GET(p + n)) + (GET(p + 2 * n) + GET(p + 3 * n))));
		})
	for (; r < m; r++, x += n) add(n, out, x, out);
}

typedef double four_doubles __attribute__((vector_size(32)));
typedef float four_floats __attribute__((vector_size(16), aligned(1), may_alias));

// Element i is added to sum i mod 16, and the sums in pairs, so that every instruction set has the same result.
static double sum_squares(long n, const uf *x) {
	four_doubles sum[4] = {{0}, {0}, {0}, {0}};
	long i = 0;
	for (; i + 16 <= n; i += 16)
		UNROLL for (int q = 0; q < 4; q++) {
			four_doubles v = __builtin_convertvector(*(const four_floats *)(x + i + 4 * q), four_doubles);
			sum[q] += v * v;
		}
	for (; i < n; i++) sum[i % 16 / 4][i % 4] += (double)x[i] * (double)x[i];
	sum[0] += sum[2];
	sum[1] += sum[3];
	sum[0] += sum[1];
	return (sum[0][0] + sum[0][2]) + (sum[0][1] + sum[0][3]);
}
