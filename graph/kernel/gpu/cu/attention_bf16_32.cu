// Attention on tensor cores for heads of up to 32 columns.
#include "attentionforward_bf16.cuh"
#include "attentiongrad_bf16.cuh"

ATTENTION_BF16(32)
ATTENTION_GRAD_BF16(32, 4)
