//go:build gpu && emu && linux

#include "reduce.cu"
