// Rows taken from a matrix by index, and added back to it.

static void gather(long m, long n, const uf *table, const int32_t *index, int accumulate, uf *out) {
	for (long i = 0; i < m; i++, out += n) {
		const uf *row = table + index[i] * n;
		if (accumulate)
			add(n, out, row, out);
		else
			memcpy(out, row, n * sizeof *out);
	}
}

static void scatter(long rows, long m, long n, const uf *dy, const int32_t *index, uf *out) {
	memset(out, 0, rows * n * sizeof *out);
	for (long i = 0; i < m; i++, dy += n) {
		uf *row = out + index[i] * n;
		add(n, row, dy, row);
	}
}
