// The kernels for x86-64 with AVX-512 F, BW, DQ and VL (Skylake-SP, Zen 4 and later).

#if defined(__x86_64__)

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
	apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif

#include <immintrin.h>

#define TABLE graft_avx512
#define LANES 16
#define TILE_ROWS 12

#include "kernels.inc.h"

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif
