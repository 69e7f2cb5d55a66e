// Elements moved as they are.

static void fill(long n, float v, uf *out) { EACH_VEC(n, i, PUT(out + i, splat(v));) }

// out[k·rows + l] = x[k + l·cols] for k below m and l below n: a transposition.
static void transpose(long m, long n, const uf *x, long cols, uf *out, long rows) {
	long l = 0;
	for (; l + LANES <= n; l += LANES) {
		const uf *row[LANES];
		for (long i = 0; i < LANES; i++) row[i] = x + (l + i) * cols;
		long k = 0;
		for (; k + 4 <= m; k += 4) transpose_quads(row, k, out + k * rows + l, rows);
		for (; k < m; k++)
			for (long i = 0; i < LANES; i++) out[k * rows + l + i] = row[i][k];
	}
	for (; l < n; l++)
		for (long k = 0; k < m; k++) out[k * rows + l] = x[l * cols + k];
}

// A row of a copy, whose elements are to and from apart.
INLINE void copy_row(long n, const uf *x, long from, uf *out, long to) {
	if (to == 1 && from == 1) {
		memcpy(out, x, n * sizeof *out);
	} else if (to == 1 && from == 0) {
		fill(n, *x, out);
	} else {
		for (long l = 0; l < n; l++) out[l * to] = x[l * from];
	}
}

// Of the last two axes, the one whose elements are neighbours in out is taken last.
static void copy(const long *size, const long *to, const long *from, const uf *x, uf *out) {
	const int last = to[3] != 1 && to[2] == 1 ? 2 : 3, before = 5 - last;
	const long m = size[before], n = size[last];
	if (m == 0 || n == 0) return;
	const int turned = to[last] == 1 && from[before] == 1 && from[last] != 0 && m > 1;
	for (long i = 0; i < size[0]; i++)
		for (long j = 0; j < size[1]; j++) {
			const uf *p = x + i * from[0] + j * from[1];
			uf *q = out + i * to[0] + j * to[1];
			if (turned)
				transpose(m, n, p, from[last], q, to[before]);
			else
				for (long k = 0; k < m; k++)
					copy_row(n, p + k * from[before], from[last], q + k * to[before], to[last]);
		}
}
