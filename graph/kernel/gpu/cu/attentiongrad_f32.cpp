//go:build gpu && emu && linux

#include "attentiongrad_f32.cu"
