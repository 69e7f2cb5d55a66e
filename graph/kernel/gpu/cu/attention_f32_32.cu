// Attention in float32 for heads of up to 32 columns.
#include "attentionforward_f32.cuh"
#include "attentiongrad_f32.cuh"

ATTENTION_F32(32)
ATTENTION_GRAD_F32(32)
