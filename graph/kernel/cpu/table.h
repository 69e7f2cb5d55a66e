// One instruction set's kernels, for the files that define and dispatch them. Operands may lie at any byte alignment,
// which uf says to the compiler.
#ifndef GRAFT_TABLE_H
#define GRAFT_TABLE_H

#include "kernels.h"

typedef float uf __attribute__((aligned(1), may_alias));

#undef IN
#undef OUT
#define IN const uf *
#define OUT uf *

#define FIELD(result, name, arguments, ...) result (*name)(__VA_ARGS__);
struct graft_kernels {
	GRAFT_KERNELS(FIELD)
};

extern const struct graft_kernels graft_base, graft_avx2, graft_avx512, graft_avx512_bf16;

#endif
