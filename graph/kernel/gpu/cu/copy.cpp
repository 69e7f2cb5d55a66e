//go:build gpu && emu && linux

#include "copy.cu"
