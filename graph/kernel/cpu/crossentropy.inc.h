// Softmax cross entropy over the rows that have a label.

static long cross_entropy_scratch(long n) { return round_up(n, LANES); }

// Brings a row to scratch as exp(x − max x); returns the sum, and the maximum in *largest.
static float exp_copy(long n, const uf *x, uf *scratch, float *largest) {
	const long whole = n / LANES * LANES;
	for (long i = 0; i < whole; i += LANES) store(scratch + i, load(x + i));
	if (whole < n)
		store(scratch + whole, choose(first_lanes(n - whole), load_part(x + whole, n - whole), splat(-FLT_MAX)));
	return exp_row(n, scratch, largest);
}

// −log softmax(x)[label] = log Σ exp(x − max x) + (max x − x[label])
static double cross_entropy(long m, long n, const uf *logits, const int32_t *labels, uf *scratch) {
	double loss = 0;
	for (long r = 0; r < m; r++, logits += n) {
		if (labels[r] < 0) continue;
		float largest;
		const float sum = exp_copy(n, logits, scratch, &largest);
		loss += log(sum) + (double)(largest - logits[labels[r]]);
	}
	return loss;
}

// scale·(softmax(x) − onehot(label))
static void cross_entropy_grad(long m, long n, const uf *logits, const int32_t *labels, float scale, uf *out,
		uf *scratch) {
	for (long r = 0; r < m; r++, logits += n, out += n) {
		if (labels[r] < 0) {
			memset(out, 0, n * sizeof *out);
			continue;
		}
		float largest;
		const float rest = 1.0f / exp_copy(n, logits, scratch, &largest);
		EACH_VEC(n, i, PUT(out + i, GET(scratch + i) * rest * scale);)
		out[labels[r]] = (scratch[labels[r]] * rest - 1.0f) * scale;
	}
}
