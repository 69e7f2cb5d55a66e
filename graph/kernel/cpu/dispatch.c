// The choice of an instruction set, and the calls through its table.

#include "table.h"

#include <stddef.h>

const struct graft_kernels *graft_level(int level) {
	switch (level) {
	case GRAFT_BASE:
		return &graft_base;
#if defined(__x86_64__)
	case GRAFT_AVX2:
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &graft_avx2 : NULL;
	case GRAFT_AVX512:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
				__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && graft_level(GRAFT_AVX2)
			? &graft_avx512 : NULL;
	case GRAFT_AVX512_BF16:
		return __builtin_cpu_supports("avx512bf16") && graft_level(GRAFT_AVX512) ? &graft_avx512_bf16 : NULL;
#endif
	}
	return NULL;
}

#define FORWARD(result, name, arguments, ...) \
	result graft_##name(const struct graft_kernels *level, __VA_ARGS__) { return level->name arguments; }
GRAFT_KERNELS(FORWARD)
