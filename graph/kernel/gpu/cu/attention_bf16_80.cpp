//go:build gpu && emu && linux

#include "attention_bf16_80.cu"
