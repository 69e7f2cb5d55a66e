//go:build gpu && emu && linux

#include "matmul.cu"
