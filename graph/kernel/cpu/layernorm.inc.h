// Layer normalisation of rows z = x (+ residual): ẑ = (z − mean(z))·rstd, rstd = 1/√(var(z) + eps).
//
// A row is first brought to scratch, padded to whole vectors; the mean and the variance each take a pass over it there.

static long layer_norm_scratch(long n) { return round_up(n, 4 * LANES); }

// Writes ẑ to hat, with zeros as padding, and returns rstd.
static float normalise(long n, const uf *x, const uf *residual, float eps, uf *hat) {
	const long padded = round_up(n, 4 * LANES);
	memset(hat + n, 0, (padded - n) * sizeof *hat);
	if (residual)
		add(n, x, residual, hat);
	else
		memcpy(hat, x, n * sizeof *hat);

	vec sum[4] = {{0}, {0}, {0}, {0}};
	for (long i = 0; i < padded; i += 4 * LANES)
		UNROLL for (int q = 0; q < 4; q++) sum[q] += load(hat + i + q * LANES);
	const float mean = sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3])) / n;

	for (long i = n; i < padded; i++) hat[i] = mean;  // no difference, nothing added to the variance
	vec square[4] = {{0}, {0}, {0}, {0}};
	for (long i = 0; i < padded; i += 4 * LANES)
		UNROLL for (int q = 0; q < 4; q++) {
			vec d = load(hat + i + q * LANES) - mean;
			square[q] += d * d;
		}
	const float variance = sum_lanes((square[0] + square[1]) + (square[2] + square[3])) / n;

	const float rstd = 1.0f / __builtin_sqrtf(variance + eps);
	for (long i = 0; i < padded; i += LANES) store(hat + i, (load(hat + i) - mean) * rstd);
	return rstd;
}

static void layer_norm(long m, long n, const uf *x, const uf *residual, const uf *gamma, const uf *beta, float eps,
		uf *out, uf *scratch) {
	for (long r = 0; r < m; r++, x += n, out += n) {
		normalise(n, x, residual, eps, scratch);
		if (beta)
			EACH_VEC(n, i, PUT(out + i, GET(scratch + i) * GET(gamma + i) + GET(beta + i));)
		else
			EACH_VEC(n, i, PUT(out + i, GET(scratch + i) * GET(gamma + i));)
		if (residual) residual += n;
	}
}

// With d = dy ⊙ gamma: dz = rstd·(d − mean(d) − ẑ·mean(d ⊙ ẑ)).
static void layer_norm_grad(long m, long n, const uf *x, const uf *residual, const uf *gamma, const uf *dy, float eps,
		uf *out, uf *scratch) {
	for (long r = 0; r < m; r++, x += n, dy += n, out += n) {
		const float rstd = normalise(n, x, residual, eps, scratch);
		vec mean[2] = {{0}, {0}}, along[2] = {{0}, {0}};
		EACH_VEC(n, i, {
			const int q = i / LANES % 2;
			vec d = GET(dy + i) * GET(gamma + i);
			mean[q] += d;
			along[q] += d * GET(scratch + i);
		})
		const float a = sum_lanes(mean[0] + mean[1]) / n, c = sum_lanes(along[0] + along[1]) / n;
		EACH_VEC(n, i, PUT(out + i, rstd * (GET(dy + i) * GET(gamma + i) - a - GET(scratch + i) * c));)
		if (residual) residual += n;
	}
}

// Row 0 of out is Σ dy ⊙ ẑ, row 1 is Σ dy.
static void layer_norm_param_grad(long m, long n, const uf *x, const uf *residual, const uf *dy, float eps, uf *out,
		uf *scratch) {
	uf *gamma = out, *beta = out + n;
	memset(out, 0, 2 * n * sizeof *out);
	for (long r = 0; r < m; r++, x += n, dy += n) {
		normalise(n, x, residual, eps, scratch);
		EACH_VEC(n, i, {
			vec d = GET(dy + i);
			PUT(gamma + i, GET(gamma + i) + d * GET(scratch + i));
			PUT(beta + i, GET(beta + i) + d);
		})
		if (residual) residual += n;
	}
}
