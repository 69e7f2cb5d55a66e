// Rotary position embeddings: pairs of columns of each head are turned by the angles of their row.

static void rotary(long t, long heads, long half, int interleaved, int inverse, const uf *x, const uf *cosines,
		const uf *sines, uf *out) {
	const float sign = inverse ? -1.0f : 1.0f;
	for (long row = 0; row < t; row++, cosines += half, sines += half)
		for (long h = 0; h < heads; h++, x += 2 * half, out += 2 * half) {
			if (interleaved) {
				for (long i = 0; i < half; i++) {
					const float a = x[2 * i], b = x[2 * i + 1], s = sign * sines[i];
					out[2 * i] = a * cosines[i] - b * s;
					out[2 * i + 1] = b * cosines[i] + a * s;
				}
				continue;
			}
			EACH_VEC(half, i, {
				const vec a = GET(x + i);
				const vec b = GET(x + half + i);
				const vec c = GET(cosines + i);
				const vec s = sign * GET(sines + i);
				PUT(out + i, a * c - b * s);
				PUT(out + half + i, b * c + a * s);
			})
		}
}
