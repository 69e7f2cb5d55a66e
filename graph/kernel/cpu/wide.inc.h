// Half as many doubles as a vector has floats, for what float32 is too coarse for.

enum { HALF = LANES / 2 };
typedef float half_vec __attribute__((vector_size(2 * LANES)));
typedef float half_uvec __attribute__((vector_size(2 * LANES), aligned(1), may_alias));
typedef double wide __attribute__((vector_size(4 * LANES)));
typedef int64_t wide_mask __attribute__((vector_size(4 * LANES)));
typedef uint64_t wide_bits __attribute__((vector_size(4 * LANES)));

// The first n elements of p, at most HALF, and others in the lanes that are left.
INLINE wide load_wide(const uf *p, long n, float others) {
	if (n >= HALF) return __builtin_convertvector(*(const half_uvec *)p, wide);
	wide x;
	for (long i = 0; i < HALF; i++) x[i] = i < n ? p[i] : others;
	return x;
}

// Stores the first n elements of x, at most HALF.
INLINE void store_wide(uf *p, wide x, long n) {
	if (n >= HALF)
		*(half_uvec *)p = __builtin_convertvector(x, half_vec);
	else
		for (long i = 0; i < n; i++) p[i] = (float)x[i];
}

INLINE wide choose_wide(wide_mask mask, wide yes, wide no) {
	return (wide)((mask & (wide_mask)yes) | (~mask & (wide_mask)no));
}

INLINE double sum_wide(wide x) {
	double sum = 0;
	for (int i = 0; i < HALF; i++) sum += x[i];
	return sum;
}

// e^x as exp_parts has it, g of degree 6 with a relative error of 2e-9; e^±110, which float32 has not, beyond ±110.
INLINE wide exp_wide(wide x) {
	const double magic = 0x1.8p52, per_ln2 = 1.4426950408889634, ln2 = 0.69314718055994531;
	x = choose_wide(x < -110.0, (wide){0} - 110.0, x);
	x = choose_wide(x > 110.0, (wide){0} + 110.0, x);
	wide t = x * per_ln2 + magic;
	wide r = x - (t - magic) * ln2;
	wide g = r * 1.3836833982736009e-3 + 8.3748220703147579e-3;
	g = g * r + 4.1668226116821411e-2;
	g = g * r + 0.16666420095648689;
	g = g * r + 0.49999992075881371;
	g = g * r + 1.0000000363395094;
	g = g * r + 1.0000000005545230;
	return g * (wide)(((wide_bits)t << 52) + 0x3ff0000000000000u);
}
