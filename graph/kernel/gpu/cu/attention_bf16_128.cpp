//go:build gpu && emu && linux

#include "attention_bf16_128.cu"
