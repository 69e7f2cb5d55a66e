//go:build gpu && emu && linux

#include "columns.cu"
