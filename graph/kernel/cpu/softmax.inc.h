// The softmax of a row in scratch, which whole vectors cover.

// The row's last vector is filled up with what exp makes zero of.
INLINE void pad_row(long n, uf *row) {
	for (long i = n; i < round_up(n, LANES); i++) row[i] = -FLT_MAX;
}

// Replaces the padded row x by exp(x − max x) and returns the sum, and the maximum in *largest. A NaN makes the row NaN.
INLINE float exp_row(long n, uf *row, float *largest) {
	const long padded = round_up(n, LANES);
	vec top = load(row);
	for (long i = LANES; i < padded; i += LANES) top = max_vec(load(row + i), top);
	const float m = max_lanes(top);
	vec sum = {0};
	for (long i = 0; i < padded; i += LANES) {
		vec e = exp_negative(load(row + i) - m);
		store(row + i, e);
		sum += e;
	}
	*largest = m;
	return sum_lanes(sum);
}

// Replaces the first n elements of row by their softmax, and those up to a whole vector by zeros.
INLINE void softmax_row(long n, uf *row) {
	float largest;
	pad_row(n, row);
	const float rest = 1.0f / exp_row(n, row, &largest);
	for (long i = 0; i < n; i += LANES) store(row + i, load(row + i) * rest);
}
