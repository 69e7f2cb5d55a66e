// The activations and their derivatives on whole vectors, and the loops over them. |error| is that of the whole formula
// in float32, beside one rounding of the result.

// Φ(−a) for a ≥ 0 and e = e^(−a²/2), Φ the normal distribution's cumulative function: t·R(t)·e with t = 1/(1 + 0.3a), R a
// polynomial of degree 7 fitted to a relative error of 1.2e-7 on a ≤ 13.3, where e ends. That is the form of Abramowitz
// and Stegun 7.1.26, with more terms.
INLINE vec normal_tail(vec a, vec e) {
	vec t = 1.0f / (1.0f + 0.3f * a);
	vec r = t * 0.0360362045f - 0.158713236f;
	r = r * t + 0.20896399f;
	r = r * t - 0.0560953692f;
	r = r * t + 0.129843161f;
	r = r * t + 0.0995231345f;
	r = r * t + 0.120816879f;
	r = r * t + 0.119625166f;
	return r * t * e;
}

// Φ(x), for GELU, x·Φ(x): |error| ≤ 1.2e-7, and 2.6e-7 in the slope.
INLINE vec normal_cdf(vec x, vec *density) {
	vec a = abs_vec(x);
	vec e = exp_negative(-0.5f * a * a);
	vec below = normal_tail(a, e);
	*density = e * 0.398942280f;
	return choose(x < 0.0f, below, 1.0f - below);
}

INLINE vec gelu(vec x) {
	vec density;
	return x * normal_cdf(x, &density);
}

// Φ(x) + x·φ(x)
INLINE vec gelu_slope(vec x) {
	vec density, cdf = normal_cdf(x, &density);
	return cdf + x * density;
}

// σ(x) = 1/(1 + e⁻ˣ), and σ(−x) in *rest, both with a small relative error.
INLINE vec sigmoid(vec x, vec *rest) {
	vec e = exp_negative(-abs_vec(x));
	vec high = 1.0f / (1.0f + e), low = e * high;
	*rest = choose(x < 0.0f, high, low);
	return choose(x < 0.0f, low, high);
}

// x·σ(x)
INLINE vec silu(vec x) {
	vec rest;
	return x * sigmoid(x, &rest);
}

// σ(x)·(1 + x·σ(−x))
INLINE vec silu_slope(vec x) {
	vec rest, s = sigmoid(x, &rest);
	return s * (1.0f + x * rest);
}

// GELU by tanh, x/2·(1 + tanh(s)) = x·σ(2s) with 2s = c·(x + 0.044715x³), c = 2·√(2/π): |error| ≤ 5e-7. Beyond ±20
// σ(2s) is 0 or 1; x is held there so that the cube stays finite.
INLINE vec gelu_tanh_argument(vec x, vec *slope) {
	const float c = 1.59576912f, cube = 0.044715f;
	x = max_vec(splat(-20.0f), min_vec(splat(20.0f), x));
	*slope = c + (3 * c * cube) * x * x;
	return c * x + (c * cube) * x * x * x;
}

INLINE vec gelu_tanh(vec x) {
	vec slope, rest;
	return x * sigmoid(gelu_tanh_argument(x, &slope), &rest);
}

// σ(2s) + x·σ(2s)·σ(−2s)·2s′
INLINE vec gelu_tanh_slope(vec x) {
	vec slope, rest, s = sigmoid(gelu_tanh_argument(x, &slope), &rest);
	return s + x * (s * rest) * slope;
}

// max(x, 0), NaN where x is
INLINE vec relu(vec x) { return max_vec(splat(0.0f), x); }

// 1 above 0 and 0 elsewhere, NaN where x is
INLINE vec relu_slope(vec x) { return choose(x > 0.0f, splat(1.0f), choose(x <= 0.0f, splat(0.0f), x)); }

// tanh x = ±(1 − e)/(1 + e) with e = e^(−2|x|): a relative error of a few roundings everywhere. Beyond 20 it is ±1.
INLINE vec tanh_vec(vec x) {
	vec y = exp_minus_one(max_vec(splat(-40.0f), -2.0f * abs_vec(x)));
	return with_sign(-y / (2.0f + y), x);
}

// 1 − tanh²
INLINE vec tanh_slope(vec x) {
	vec h = tanh_vec(x);
	return (1.0f - h) * (1.0f + h);
}

#define ACTIVATION(f, slope) \
	static void activate_##f(long n, const uf *x, uf *out) { \
		EACH_VEC(n, i, PUT(out + i, f(GET(x + i)));) \
	} \
	static void activate_grad_##f(long n, const uf *x, const uf *dy, uf *out) { \
		EACH_VEC(n, i, PUT(out + i, GET(dy + i) * slope(GET(x + i)));) \
	}
ACTIVATION(gelu, gelu_slope)
ACTIVATION(gelu_tanh, gelu_tanh_slope)
ACTIVATION(relu, relu_slope)
ACTIVATION(silu, silu_slope)
ACTIVATION(tanh_vec, tanh_slope)

// In the order of kernel.Activation.
static void activate(int activation, long n, const uf *x, uf *out) {
	static void (*const f[])(long, const uf *, uf *) = {
		activate_gelu, activate_gelu_tanh, activate_relu, activate_silu, activate_tanh_vec,
	};
	f[activation](n, x, out);
}

static void activate_grad(int activation, long n, const uf *x, const uf *dy, uf *out) {
	static void (*const f[])(long, const uf *, const uf *, uf *) = {
		activate_grad_gelu, activate_grad_gelu_tanh, activate_grad_relu, activate_grad_silu, activate_grad_tanh_vec,
	};
	f[activation](n, x, dy, out);
}
