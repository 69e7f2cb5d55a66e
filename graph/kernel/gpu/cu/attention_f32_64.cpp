//go:build gpu && emu && linux

#include "attention_f32_64.cu"
