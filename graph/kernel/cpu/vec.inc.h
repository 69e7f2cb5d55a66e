// Vectors of LANES floats, in the compiler's own vector types, so that one source serves every instruction set. The
// file that includes this one sets LANES and the target.

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float uvec __attribute__((vector_size(4 * LANES), aligned(1), may_alias));

#define INLINE static inline __attribute__((always_inline, unused))

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

INLINE long min_long(long a, long b) { return a < b ? a : b; }
INLINE long round_up(long n, long to) { return (n + to - 1) / to * to; }

INLINE vec load(const uf *p) { return *(const uvec *)p; }
INLINE void store(uf *p, vec x) { *(uvec *)p = x; }
INLINE vec splat(float x) { return x - (vec){0}; }  // x − 0 is x, for −0 and NaN too: it costs nothing

// The first n < LANES elements of p, and zeros.
INLINE vec load_part(const uf *p, long n) {
#if LANES == 16
	return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif LANES == 8
	const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
	return _mm256_maskload_ps((const float *)p, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane));
#else
	vec x = {0};
	for (long i = 0; i < n; i++) x[i] = p[i];
	return x;
#endif
}

// Stores the first n < LANES elements of x. Below AVX-512 a tree of plain stores: masked ones are slow on many CPUs.
INLINE void store_part(uf *p, vec x, long n) {
#if LANES == 16
	_mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), x);
#elif LANES == 8
	__m128 half = _mm256_castps256_ps128(x);
	if (n & 4) {
		_mm_storeu_ps((float *)p, half);
		p += 4;
		half = _mm256_extractf128_ps(x, 1);
	}
	if (n & 2) {
		_mm_storel_pi((__m64 *)p, half);
		p += 2;
		half = _mm_movehl_ps(half, half);
	}
	if (n & 1) *p = _mm_cvtss_f32(half);
#else
	for (long i = 0; i < n; i++) p[i] = x[i];
#endif
}

// Folds a vector to one element: lane i with lane i + LANES/2, and so on.
#if LANES >= 8
#define FOLD(x, add, add_one) \
	__m128 s = add(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1)); \
	s = add(s, _mm_movehl_ps(s, s)); \
	return _mm_cvtss_f32(add_one(s, _mm_shuffle_ps(s, s, 1)));
#endif
#if LANES == 16
#define HALF(x, i) _mm512_extractf32x8_ps(x, i)
INLINE float sum_lanes(vec v) {
	__m256 x = _mm256_add_ps(HALF(v, 0), HALF(v, 1));
	FOLD(x, _mm_add_ps, _mm_add_ss)
}
INLINE float max_lanes(vec v) {
	__m256 x = _mm256_max_ps(HALF(v, 0), HALF(v, 1));
	FOLD(x, _mm_max_ps, _mm_max_ss)
}
#elif LANES == 8
INLINE float sum_lanes(vec x) { FOLD(x, _mm_add_ps, _mm_add_ss) }
INLINE float max_lanes(vec x) { FOLD(x, _mm_max_ps, _mm_max_ss) }
#else
INLINE float larger(float a, float b) { return a > b ? a : b; }
INLINE float sum_lanes(vec x) { return (x[0] + x[2]) + (x[1] + x[3]); }
INLINE float max_lanes(vec x) { return larger(larger(x[0], x[2]), larger(x[1], x[3])); }
#endif

// The four elements at each of p[0], p[4], p[8], …, one row in each quarter of the vector (its half, the whole).
INLINE vec load_quads(const uf *const *p, long at) {
#if LANES == 16
	__m512 x = _mm512_castps128_ps512(_mm_loadu_ps((const float *)p[0] + at));
	x = _mm512_insertf32x4(x, _mm_loadu_ps((const float *)p[4] + at), 1);
	x = _mm512_insertf32x4(x, _mm_loadu_ps((const float *)p[8] + at), 2);
	return _mm512_insertf32x4(x, _mm_loadu_ps((const float *)p[12] + at), 3);
#elif LANES == 8
	__m256 x = _mm256_castps128_ps256(_mm_loadu_ps((const float *)p[0] + at));
	return _mm256_insertf128_ps(x, _mm_loadu_ps((const float *)p[4] + at), 1);
#else
	return load(p[0] + at);
#endif
}

// Interleaves singles and pairs within each four elements: a0 b0 a1 b1, a2 b2 a3 b3, a0 a1 b0 b1, a2 a3 b2 b3.
#if LANES == 16
#define LOW_SINGLES(a, b) _mm512_unpacklo_ps(a, b)
#define HIGH_SINGLES(a, b) _mm512_unpackhi_ps(a, b)
#define LOW_PAIRS(a, b) _mm512_shuffle_ps(a, b, 0x44)
#define HIGH_PAIRS(a, b) _mm512_shuffle_ps(a, b, 0xee)
#elif LANES == 8
#define LOW_SINGLES(a, b) _mm256_unpacklo_ps(a, b)
#define HIGH_SINGLES(a, b) _mm256_unpackhi_ps(a, b)
#define LOW_PAIRS(a, b) _mm256_shuffle_ps(a, b, 0x44)
#define HIGH_PAIRS(a, b) _mm256_shuffle_ps(a, b, 0xee)
#else
#define LOW_SINGLES(a, b) ((vec){a[0], b[0], a[1], b[1]})
#define HIGH_SINGLES(a, b) ((vec){a[2], b[2], a[3], b[3]})
#define LOW_PAIRS(a, b) ((vec){a[0], a[1], b[0], b[1]})
#define HIGH_PAIRS(a, b) ((vec){a[2], a[3], b[2], b[3]})
#endif

// Writes four columns of LANES rows as four rows: to[q·width + i] = rows[i][at + q].
INLINE void transpose_quads(const uf *const *rows, long at, uf *to, long width) {
	vec r0 = load_quads(rows, at), r1 = load_quads(rows + 1, at);
	vec r2 = load_quads(rows + 2, at), r3 = load_quads(rows + 3, at);
	vec low01 = LOW_SINGLES(r0, r1), high01 = HIGH_SINGLES(r0, r1);
	vec low23 = LOW_SINGLES(r2, r3), high23 = HIGH_SINGLES(r2, r3);
	store(to, LOW_PAIRS(low01, low23));
	store(to + width, HIGH_PAIRS(low01, low23));
	store(to + 2 * width, LOW_PAIRS(high01, high23));
	store(to + 3 * width, HIGH_PAIRS(high01, high23));
}
