//go:build gpu && emu && linux

#include "crossentropy.cu"
