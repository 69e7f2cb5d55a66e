//go:build gpu && emu && linux

#include "attention_bf16.cu"
