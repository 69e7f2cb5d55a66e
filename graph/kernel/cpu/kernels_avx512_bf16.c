// The kernels for x86-64 with AVX-512 F, BW, DQ, VL and BF16 (Cooper Lake, Sapphire Rapids, Zen 4 and later): those
// for AVX-512, and products of bf16 by the processor's own instruction.

#if defined(__x86_64__)

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512bf16"))), \
	apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512bf16")
#endif

#include <immintrin.h>

#define TABLE graft_avx512_bf16
#define LANES 16
#define TILE_ROWS 12
#define BF16_DOT 1

#include "kernels.inc.h"

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif
