//go:build gpu && emu && linux

#include "rows.cu"
