//go:build gpu && emu && linux

#include "attention_f32_128.cu"
