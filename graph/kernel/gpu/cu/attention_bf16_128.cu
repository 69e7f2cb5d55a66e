// Attention on tensor cores for heads of up to 128 columns.
#include "attentionforward_bf16.cuh"
#include "attentiongrad_bf16.cuh"

ATTENTION_BF16(128)
ATTENTION_GRAD_BF16(128, 2)
