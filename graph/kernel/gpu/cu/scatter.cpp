//go:build gpu && emu && linux

#include "scatter.cu"
