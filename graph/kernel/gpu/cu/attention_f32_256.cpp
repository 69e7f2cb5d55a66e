//go:build gpu && emu && linux

#include "attention_f32_256.cu"
