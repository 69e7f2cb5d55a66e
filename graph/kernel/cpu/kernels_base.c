// The kernels for any processor: vectors of four floats, which SSE2 and NEON have.

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define TABLE graft_base
#define LANES 4
#if defined(__aarch64__)
#define TILE_ROWS 12  // 32 registers
#else
#define TILE_ROWS 6  // 16 registers
#endif

#include "kernels.inc.h"
