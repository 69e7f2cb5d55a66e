//go:build gpu && emu && linux

#include "elementwise.cu"
