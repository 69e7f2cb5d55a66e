// The softmax of a row in scratch, in whole vectors.

// The mask of the first n lanes.
INLINE ivec first_lanes(long n) {
#if LANES == 16
	const ivec lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif LANES == 8
	const ivec lane = {0, 1, 2, 3, 4, 5, 6, 7};
#else
	const ivec lane = {0, 1, 2, 3};
#endif
	return lane < (int)n;
}

// Replaces the first n elements of row by exp(x − max x), and the others of their last vector, which hold anything not
// above the maximum, by zeros. Returns the sum, and the maximum in *largest. A NaN among the n makes the sum NaN.
INLINE float exp_row(long n, uf *row, float *largest) {
	vec top = load(row);
	for (long i = LANES; i < n; i += LANES) top = max_vec(load(row + i), top);
	const float m = max_lanes(top);
	vec sum = {0};
	for (long i = 0; i < n; i += LANES) {
		vec e = exp_negative(load(row + i) - m);
		if (n - i < LANES) e = (vec)((ivec)e & first_lanes(n - i));
		store(row + i, e);
		sum += e;
	}
	*largest = m;
	return sum_lanes(sum);
}

// Replaces the first n elements of row by their softmax, and the others of their last vector, as above, by zeros (or
// NaN, where the row is).
INLINE void softmax_row(long n, uf *row) {
	float largest;
	const float rest = 1.0f / exp_row(n, row, &largest);
	for (long i = 0; i < n; i += LANES) store(row + i, load(row + i) * rest);
}
