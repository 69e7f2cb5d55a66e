// What networks that run node by node need beside the others: functions of one and of two arguments, choices, and
// functions of rows.

// 1 where a vector comparison holds, and 0 elsewhere.
INLINE vec truth(ivec mask) { return choose(mask, splat(1.0f), splat(0.0f)); }

// 2/√π ∫₀ˣ e^(−t²) dt. Up to |x| = 1 it is x + x·q(x²), q a polynomial of degree 7 fitted to a relative error of 4e-11
// before its coefficients were rounded; beyond, 1 − 2·Φ(−√2·|x|), which is above 0.84, so that 2.4e-7 of the rest count
// for little. With roundings the relative error is 1.5e-7.
INLINE vec erf_vec(vec x) {
	vec a = abs_vec(x), s = x * x;
	vec q = s * -9.64151513e-6f + 1.12569476e-4f;
	q = q * s - 8.48282885e-4f;
	q = q * s + 5.22094546e-3f;
	q = q * s - 0.0268654004f;
	q = q * s + 0.112837821f;
	q = q * s - 0.376126379f;
	q = q * s + 0.128379167f;
	vec far = 1.0f - 2.0f * normal_tail(a * 1.41421356f, exp_negative(-s));
	return choose(a < 1.0f, x * q + x, with_sign(far, x));
}

#define MAP(name, f) \
	static void map_##name(long n, const uf *p, uf *out) { \
		EACH_VEC(n, i, { vec x = GET(p + i); PUT(out + i, f); }) \
	}
#define MAP_WIDE(name, f) \
	static void map_##name(long n, const uf *p, uf *out) { \
		for (long i = 0; i < n; i += HALF) { \
			wide x = load_wide(p + i, n - i, 1.0f); \
			store_wide(out + i, f, n - i); \
		} \
	}
MAP(abs, abs_vec(x))
MAP(sqrt, sqrt_vec(x))
MAP(reciprocal, 1.0f / x)
MAP(inv_sqrt, 1.0f / sqrt_vec(x))
MAP(not, truth(x == 0.0f))
MAP(is_nan, truth(x != x))
MAP(erf, erf_vec(x))
MAP_WIDE(exp, exp_wide(x))
MAP_WIDE(sigmoid, 1.0 / (1.0 + exp_wide(-x)))

// In the order of kernel.Function, which has others too: the result tells whether there is this one.
static int map(int function, long n, const uf *x, uf *out) {
	static void (*const f[])(long, const uf *, uf *) = {
		[0] = map_abs, [6] = map_sqrt, [8] = map_erf, [11] = map_reciprocal, [12] = map_sigmoid, [14] = map_not,
		[15] = map_is_nan, [16] = map_exp, [17] = map_inv_sqrt,
	};
	if (function < 0 || function >= (int)(sizeof f / sizeof *f) || !f[function]) return 0;
	f[function](n, x, out);
	return 1;
}

// The smaller or the larger of a and b by the mask of a comparison; NaN where either is.
INLINE vec extreme(ivec first, vec a, vec b) { return choose(first | (a != a), a, b); }

#define COMBINE(name, f) \
	static void combine_##name(long n, const uf *p, const uf *q, uf *out) { \
		EACH_VEC(n, i, { vec a = GET(p + i); vec b = GET(q + i); PUT(out + i, f); }) \
	}
COMBINE(div, a / b)
COMBINE(min, extreme(a < b, a, b))
COMBINE(max, extreme(a > b, a, b))
COMBINE(equal, truth(a == b))
COMBINE(less, truth(a < b))
COMBINE(less_or_equal, truth(a <= b))
COMBINE(greater, truth(a > b))
COMBINE(greater_or_equal, truth(a >= b))
COMBINE(and, truth((a != 0.0f) & (b != 0.0f)))
COMBINE(or, truth((a != 0.0f) | (b != 0.0f)))
COMBINE(xor, truth((a != 0.0f) ^ (b != 0.0f)))

// In the order of kernel.Pair, likewise.
static int combine(int pair, long n, const uf *a, const uf *b, uf *out) {
	static void (*const f[])(long, const uf *, const uf *, uf *) = {
		combine_div, NULL, combine_min, combine_max, combine_equal, combine_less, combine_less_or_equal,
		combine_greater, combine_greater_or_equal, combine_and, combine_or, combine_xor,
	};
	if (pair < 0 || pair >= (int)(sizeof f / sizeof *f) || !f[pair]) return 0;
	f[pair](n, a, b, out);
	return 1;
}

static void where(long n, const uf *c, const uf *a, const uf *b, uf *out) {
	if (!a) {
		EACH_VEC(n, i, PUT(out + i, choose(GET(c + i) == 0.0f, GET(b + i), splat(0.0f)));)
	} else if (!b) {
		EACH_VEC(n, i, PUT(out + i, choose(GET(c + i) == 0.0f, splat(0.0f), GET(a + i)));)
	} else {
		EACH_VEC(n, i, PUT(out + i, choose(GET(c + i) == 0.0f, GET(b + i), GET(a + i)));)
	}
}

static double sum_row(long n, const uf *x) {
	wide sum[4] = {{0}, {0}, {0}, {0}};
	long i = 0;
	for (; i + 4 * HALF <= n; i += 4 * HALF)
		UNROLL for (int q = 0; q < 4; q++) sum[q] += load_wide(x + i + q * HALF, HALF, 0);
	for (; i < n; i += HALF) sum[0] += load_wide(x + i, n - i, 0);
	return sum_wide((sum[0] + sum[2]) + (sum[1] + sum[3]));
}

static double product_row(long n, const uf *x) {
	double product = 1;
	for (long i = 0; i < n; i++) product *= x[i];
	return product;
}

// The largest element of a row with each element's sign changed by sign, ±1; NaN where one is. n may be 0.
static float largest_in(long n, const uf *x, float sign) {
	vec top = splat(-INFINITY), bad = {0};
	EACH_VEC(n, i, {
		vec v = GET(x + i) * sign;
		if (width < LANES) v = choose(first_lanes(width), v, splat(-INFINITY));
		bad += v * 0.0f;
		top = max_vec(v, top);
	})
	if (isnan(sum_lanes(bad))) // NaN or infinite
		for (long i = 0; i < n; i++)
			if (isnan(x[i])) return x[i];
	return max_lanes(top);
}

// In the order of kernel.Reduction.
static void reduce(int reduction, long m, long n, const uf *x, uf *out) {
	for (long r = 0; r < m; r++, x += n) switch (reduction) {
		case 0: out[r] = (float)product_row(n, x); break;
		case 1: out[r] = largest_in(n, x, 1.0f); break;
		case 2: out[r] = -largest_in(n, x, -1.0f); break;
		case 3: out[r] = (float)sum_row(n, x); break;
	}
}

// e^(x − max x) over its sum, both as doubles.
static void softmax(long m, long n, const uf *x, float empty, uf *out) {
	for (long r = 0; r < m; r++, x += n, out += n) {
		const float top = largest_in(n, x, 1.0f);
		if (top == -INFINITY) {
			fill(n, empty, out);
			continue;
		}
		wide sum = {0};
		for (long i = 0; i < n; i += HALF) {
			wide e = exp_wide(load_wide(x + i, n - i, -INFINITY) - (double)top);
			sum += e;
			store_wide(out + i, e, n - i);
		}
		const double rest = 1.0 / sum_wide(sum);
		for (long i = 0; i < n; i += HALF) store_wide(out + i, load_wide(out + i, n - i, 0) * rest, n - i);
	}
}
