//go:build gpu && emu && linux

#include "apart.cu"
