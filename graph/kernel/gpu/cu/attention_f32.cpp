//go:build gpu && emu && linux

#include "attention_f32.cu"
