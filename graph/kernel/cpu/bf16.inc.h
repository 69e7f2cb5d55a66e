// Matrices of bf16: float32 cut to its upper 16 bits, after rounding to the nearest, ties to even.
//
// Two elements that follow each other along k make a pair, a word of 32 bits, the first in its lower half: what the dot
// products of AVX-512 BF16 take, and what a shift and a mask make float32 of elsewhere. A packed right operand is laid
// out as in pack.inc.h, with a word for two rows; a row of zeros fills an odd block up.

typedef uint32_t pair __attribute__((may_alias));
typedef uint32_t upairs __attribute__((vector_size(4 * LANES), aligned(1), may_alias));

INLINE bits load_pairs(const pair *p) { return *(const upairs *)p; }
INLINE void store_pairs(pair *p, bits x) { *(upairs *)p = x; }

// The rows of a block of k, as block_depth says for float32: even, so that no pair lies in two blocks.
enum { MAX_PAIRED_DEPTH = 768 };

INLINE long paired_depth(long k) {
	const long blocks = (k + MAX_PAIRED_DEPTH - 1) / MAX_PAIRED_DEPTH;
	return blocks > 0 ? round_up((k + blocks - 1) / blocks, 2) : 2;
}

INLINE long pairs_of(long k) { return (k + 1) / 2; }

// x rounded to bf16, in the upper half of each lane, zeros below. NaN stays NaN.
INLINE bits round_bf16(vec x) {
	const bits b = (bits)x, rounded = b + 0x7fffu + (b >> 16 & 1u);
	return (bits)choose(x != x, (vec)(b | 0x400000u), (vec)rounded) & 0xffff0000u;
}

INLINE bits make_pairs(vec first, vec second) { return round_bf16(first) >> 16 | round_bf16(second); }

static long pack_bf16_size(long k, long n) { return block_size(pairs_of(k), n); }
static long pack_bf16_scratch(long k) { return block_size(min_long(k, paired_depth(k)), TILE_COLS); }

// Packs op(b), [k, n], strip by strip: as float32 into scratch, and from there in pairs.
static void pack_bf16(long k, long n, const uf *b, int trans, uf *out, uf *scratch) {
	const long ldb = trans ? k : n, depth = paired_depth(k);
	for (long p = 0; p < k; p += depth) {
		const long rows = min_long(depth, k - p), pairs = pairs_of(rows);
		pair *block = (pair *)out + block_size(p / 2, n);
		for (long j = 0; j < n; j += TILE_COLS) {
			const long cols = min_long(TILE_COLS, n - j), width = strip_vecs(cols) * LANES;
			pack_block(rows, cols, trans ? b + j * ldb + p : b + p * ldb + j, ldb, trans, scratch);
			pair *to = block + strip_at(pairs, j);
			for (long q = 0; q < rows; q += 2)
				for (long i = 0; i < width; i += LANES, to += LANES) {
					const uf *from = scratch + q * width + i;
					store_pairs(to, make_pairs(load(from), q + 1 < rows ? load(from + width) : (vec){0}));
				}
		}
	}
}
