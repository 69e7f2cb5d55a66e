//go:build gpu && emu && linux

#include "nodewise.cu"
