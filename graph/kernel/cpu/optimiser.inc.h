// One step of AdamW over all elements of a parameter.

static void adamw(long n, uf *p, const uf *g, uf *m, uf *v, float scale, float beta1, float rest1, float beta2,
		float rest2, float step, float root, float eps, float decay) {
	EACH_VEC(n, i, {
		vec grad = GET(g + i) * scale;
		vec mean = beta1 * GET(m + i) + rest1 * grad;
		vec square = beta2 * GET(v + i) + rest2 * (grad * grad);
		vec x = GET(p + i);
		PUT(m + i, mean);
		PUT(v + i, square);
		PUT(p + i, x - decay * x - step * mean / (root * sqrt_vec(square) + eps));
	})
}
