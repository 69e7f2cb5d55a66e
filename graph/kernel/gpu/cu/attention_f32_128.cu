// Attention in float32 for heads of up to 128 columns.
#include "attentionforward_f32.cuh"
#include "attentiongrad_f32.cuh"

ATTENTION_F32(128)
ATTENTION_GRAD_F32(128)
