// Exponentials of whole vectors.

typedef int32_t ivec __attribute__((vector_size(4 * LANES)));
typedef uint32_t bits __attribute__((vector_size(4 * LANES)));

// For a mask of a vector comparison: the lanes of yes where it holds, of no elsewhere.
INLINE vec choose(ivec mask, vec yes, vec no) { return (vec)((mask & (ivec)yes) | (~mask & (ivec)no)); }

// The larger of a and b; b where either is NaN.
INLINE vec max_vec(vec a, vec b) {
#if LANES == 16
	return _mm512_max_ps(a, b);
#elif LANES == 8
	return _mm256_max_ps(a, b);
#elif defined(__x86_64__)
	return _mm_max_ps(a, b);
#else
	return choose(a > b, a, b);
#endif
}

INLINE vec min_vec(vec a, vec b) { return -max_vec(-a, -b); }

INLINE vec sqrt_vec(vec x) {
#if LANES == 16
	return _mm512_sqrt_ps(x);
#elif LANES == 8
	return _mm256_sqrt_ps(x);
#elif defined(__x86_64__)
	return _mm_sqrt_ps(x);
#elif defined(__aarch64__)
	return vsqrtq_f32(x);
#else
	for (int i = 0; i < LANES; i++) x[i] = __builtin_sqrtf(x[i]);
	return x;
#endif
}

#define SIGN_BIT ((ivec){0} + INT32_MIN)

INLINE vec abs_vec(vec x) { return (vec)((ivec)x & ~SIGN_BIT); }
INLINE vec with_sign(vec x, vec sign) { return (vec)(((ivec)x & ~SIGN_BIT) | ((ivec)sign & SIGN_BIT)); }

// e^x = scale·(1 + y), with scale = 2ⁿ, n = x/ln 2 rounded, and y = e^r − 1 for r = x − n·ln 2, for −87.3 ≤ x ≤ 88.
// Adding 1.5·2²³ rounds to an integer and leaves it in the low bits. n·LN2_HIGH is exact. y = r + r²·g(r), g a
// polynomial of degree 4 fitted to a relative error of e^r of 3.3e-9 on |r| ≤ 0.35; with roundings, e^x errs by 9e-8.
INLINE vec exp_parts(vec x, vec *scale) {
	const float magic = 0x1.8p23f, per_ln2 = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
	vec t = x * per_ln2 + magic;
	vec n = t - magic;
	vec r = x - n * ln2_high;
	r = r - n * ln2_low;
	vec g = r * 0.00138131448f + 0.00836941879f;
	g = g * r + 0.041668456f;
	g = g * r + 0.166665152f;
	g = g * r + 0.49999994f;
	*scale = (vec)(((bits)t << 23) + 0x3f800000u);
	return r * r * g + r;
}

// e^x for x ≤ 0, relative error 9e-8; 0 where it is below the normal numbers, NaN where x is.
INLINE vec exp_negative(vec x) {
	vec scale, y = exp_parts(x, &scale);
	return (vec)((ivec)(scale * y + scale) & ~(x < -87.3f));
}

// e^x − 1 for x ≤ 0 with a small relative error, near 0 too; x is NaN or at least −87.
INLINE vec exp_minus_one(vec x) {
	vec scale, y = exp_parts(x, &scale);
	return scale * y + (scale - 1.0f);
}
