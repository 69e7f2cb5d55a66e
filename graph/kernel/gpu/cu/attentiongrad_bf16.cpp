//go:build gpu && emu && linux

#include "attentiongrad_bf16.cu"
