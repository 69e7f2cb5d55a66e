//go:build gpu && emu && linux

#include "activation.cu"
