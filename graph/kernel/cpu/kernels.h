// The kernels as Go calls them: graft_<name>(level, …) runs the kernel of one instruction set.
//
// Matrices are row-major and dense. IN operands may lie at any byte alignment. out may be an IN operand where
// kernel.Kernels allows it. Nothing is checked. scratch is aligned to 64 bytes and has the floats that the function
// <name>_scratch asks for.
#ifndef GRAFT_KERNELS_H
#define GRAFT_KERNELS_H

#include <stdint.h>

#define IN const float *
#define OUT float *

// X(result, name, (arguments), parameters...)
#define GRAFT_KERNELS(X) \
	/* op(b), [k,n], laid out for matmul in pack_size floats; op transposes where trans is set */ \
	X(long, pack_size, (k, n), long k, long n) \
	X(void, pack, (k, n, b, trans, out), long k, long n, IN b, int trans, OUT out) \
	/* c[m,n] = alpha·op(a)·op(b) (+ bias) (+ c where accumulate is set); packed is op(b) packed, or NULL */ \
	X(long, matmul_scratch, (m, n, k, trans_a, trans_b, packed), \
		long m, long n, long k, int trans_a, int trans_b, int packed) \
	X(void, matmul, (m, n, k, a, trans_a, b, trans_b, packed, c, alpha, bias, accumulate, scratch), \
		long m, long n, long k, IN a, int trans_a, IN b, int trans_b, IN packed, OUT c, float alpha, IN bias, \
		int accumulate, OUT scratch) \
	/* the same with op(b) packed as bf16, and op(a) rounded to bf16; pack_bf16 needs pack_bf16_scratch floats */ \
	X(long, pack_bf16_size, (k, n), long k, long n) \
	X(long, pack_bf16_scratch, (k), long k) \
	X(void, pack_bf16, (k, n, b, trans, out, scratch), long k, long n, IN b, int trans, OUT out, OUT scratch) \
	X(long, matmul_bf16_scratch, (m, k), long m, long k) \
	X(void, matmul_bf16, (m, n, k, a, trans_a, packed, c, alpha, bias, accumulate, scratch), \
		long m, long n, long k, IN a, int trans_a, IN packed, OUT c, float alpha, IN bias, int accumulate, OUT scratch) \
	/* element-wise, on n elements or on m rows of n */ \
	X(void, add, (n, a, b, out), long n, IN a, IN b, OUT out) \
	X(void, mul, (n, a, b, out), long n, IN a, IN b, OUT out) \
	X(void, scale, (n, x, s, out), long n, IN x, float s, OUT out) \
	X(void, shift, (n, x, c, out), long n, IN x, float c, OUT out) \
	X(void, fill, (n, v, out), long n, float v, OUT out) \
	X(void, add_scaled, (n, x, s, out), long n, IN x, float s, OUT out) \
	X(void, add_row, (m, n, x, row, out), long m, long n, IN x, IN row, OUT out) \
	X(void, mul_row, (m, n, x, row, out), long m, long n, IN x, IN row, OUT out) \
	X(void, column_sum, (m, n, x, out), long m, long n, IN x, OUT out) \
	X(double, sum_squares, (n, x), long n, IN x) \
	/* activation counts as kernel.Activation does */ \
	X(void, activate, (activation, n, x, out), int activation, long n, IN x, OUT out) \
	X(void, activate_grad, (activation, n, x, dy, out), int activation, long n, IN x, IN dy, OUT out) \
	/* out[Σ i·to] = x[Σ i·from] over the i of four axes below size */ \
	X(void, copy, (size, to, from, x, out), const long *size, const long *to, const long *from, IN x, OUT out) \
	/* function, pair and reduction count as kernel.Function, kernel.Pair and kernel.Reduction do; 0 where there is none */ \
	X(int, map, (function, n, x, out), int function, long n, IN x, OUT out) \
	X(int, combine, (pair, n, a, b, out), int pair, long n, IN a, IN b, OUT out) \
	/* c ≠ 0 ? a : b; a or b may be NULL, for zeros */ \
	X(void, where, (n, c, a, b, out), long n, IN c, IN a, IN b, OUT out) \
	/* of m rows of n; the softmax of a row of −∞ alone is empty */ \
	X(void, reduce, (reduction, m, n, x, out), int reduction, long m, long n, IN x, OUT out) \
	X(void, softmax, (m, n, x, empty, out), long m, long n, IN x, float empty, OUT out) \
	/* residual and beta may be NULL; scratch has layer_norm_scratch floats */ \
	X(long, layer_norm_scratch, (n), long n) \
	X(void, layer_norm, (m, n, x, residual, gamma, beta, eps, out, scratch), \
		long m, long n, IN x, IN residual, IN gamma, IN beta, float eps, OUT out, OUT scratch) \
	X(void, layer_norm_grad, (m, n, x, residual, gamma, dy, eps, out, scratch), \
		long m, long n, IN x, IN residual, IN gamma, IN dy, float eps, OUT out, OUT scratch) \
	X(void, layer_norm_param_grad, (m, n, x, residual, dy, eps, out, scratch), \
		long m, long n, IN x, IN residual, IN dy, float eps, OUT out, OUT scratch) \
	/* out[i] = table[index[i]], or is added to; and out[index[i]] += dy[i], from rows of zeros on */ \
	X(void, gather, (m, n, table, index, accumulate, out), \
		long m, long n, IN table, const int32_t *index, int accumulate, OUT out) \
	X(void, scatter, (rows, m, n, dy, index, out), \
		long rows, long m, long n, IN dy, const int32_t *index, OUT out) \
	/* t rows of heads·2·half columns; cosines and sines are t rows of half */ \
	X(void, rotary, (t, heads, half, interleaved, inverse, x, cosines, sines, out), \
		long t, long heads, long half, int interleaved, int inverse, IN x, IN cosines, IN sines, OUT out) \
	/* t rows of heads·d columns; sequence s is the rows from bounds[s] to bounds[s+1]; a window of 0 is none, bias */ \
	/* is bias_rows by heads, or NULL */ \
	X(long, attention_scratch, (longest, d, window, bias, grad), long longest, long d, long window, int bias, int grad) \
	X(void, attention, (t, heads, d, sequences, bounds, q, k, v, scale, window, bias, bias_rows, out, scratch), \
		long t, long heads, long d, long sequences, const int32_t *bounds, IN q, IN k, IN v, float scale, long window, \
		IN bias, long bias_rows, OUT out, OUT scratch) \
	X(void, attention_grad, (t, heads, d, sequences, bounds, q, k, v, dy, scale, window, bias, bias_rows, out, scratch), \
		long t, long heads, long d, long sequences, const int32_t *bounds, IN q, IN k, IN v, IN dy, float scale, \
		long window, IN bias, long bias_rows, OUT out, OUT scratch) \
	X(void, attention_bias_grad, \
		(t, heads, d, sequences, bounds, q, k, v, dy, scale, window, bias, bias_rows, out, scratch), \
		long t, long heads, long d, long sequences, const int32_t *bounds, IN q, IN k, IN v, IN dy, float scale, \
		long window, IN bias, long bias_rows, OUT out, OUT scratch) \
	/* keys and queries are [.., heads·d], or NULL; key_rows and query_rows their rows for each distance query − key, those */ \
	/* of distance 0 at the pointer; the spans count the rows of the longest sequence from the least to the largest */ \
	X(long, relative_scratch, (longest, d, key_span, query_span, grad), \
		long longest, long d, long key_span, long query_span, int grad) \
	X(void, relative, (t, heads, d, sequences, bounds, q, k, v, keys, key_rows, queries, query_rows, scale, out, scratch), \
		long t, long heads, long d, long sequences, const int32_t *bounds, IN q, IN k, IN v, IN keys, \
		const int32_t *key_rows, IN queries, const int32_t *query_rows, float scale, OUT out, OUT scratch) \
	/* the gradients of keys and queries are added to, and may be NULL */ \
	X(void, relative_grad, (t, heads, d, sequences, bounds, q, k, v, keys, key_rows, queries, query_rows, dy, scale, out, \
			keys_out, queries_out, scratch), \
		long t, long heads, long d, long sequences, const int32_t *bounds, IN q, IN k, IN v, IN keys, \
		const int32_t *key_rows, IN queries, const int32_t *query_rows, IN dy, float scale, OUT out, OUT keys_out, \
		OUT queries_out, OUT scratch) \
	/* Σ −log softmax(logits)[label] over m rows of n whose label is not negative, and scale·its gradient */ \
	X(long, cross_entropy_scratch, (n), long n) \
	X(double, cross_entropy, (m, n, logits, labels, scratch), \
		long m, long n, IN logits, const int32_t *labels, OUT scratch) \
	X(void, cross_entropy_grad, (m, n, logits, labels, scale, out, scratch), \
		long m, long n, IN logits, const int32_t *labels, float scale, OUT out, OUT scratch) \
	/* m = beta1·m + rest1·g·scale, v = beta2·v + rest2·(g·scale)², p −= decay·p + step·m / (root·√v + eps) */ \
	X(void, adamw, (n, p, g, m, v, scale, beta1, rest1, beta2, rest2, step, root, eps, decay), \
		long n, OUT p, IN g, OUT m, OUT v, float scale, float beta1, float rest1, float beta2, float rest2, \
		float step, float root, float eps, float decay)

struct graft_kernels;

#define DECLARE(result, name, arguments, ...) result graft_##name(const struct graft_kernels *level, __VA_ARGS__);
GRAFT_KERNELS(DECLARE)

// The instruction sets: those that this build knows, and what there is of them on this CPU, else NULL.
enum { GRAFT_BASE, GRAFT_AVX2, GRAFT_AVX512, GRAFT_AVX512_BF16 };
const struct graft_kernels *graft_level(int level);

#endif
