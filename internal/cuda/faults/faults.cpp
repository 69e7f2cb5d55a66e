//go:build gpu && emu && linux

#include "faults.cu"
