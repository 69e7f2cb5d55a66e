// The kernels for x86-64 with AVX2 and FMA (Haswell, Zen and later).

#if defined(__x86_64__)

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#include <immintrin.h>

#define TABLE graft_avx2
#define LANES 8
#define TILE_ROWS 6

#include "kernels.inc.h"

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif
