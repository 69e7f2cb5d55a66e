//go:build gpu && emu && linux

#include "rotary.cu"
