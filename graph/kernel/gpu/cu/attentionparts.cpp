//go:build gpu && emu && linux

#include "attentionparts.cu"
