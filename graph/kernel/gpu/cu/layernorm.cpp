//go:build gpu && emu && linux

#include "layernorm.cu"
