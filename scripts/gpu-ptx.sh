#!/bin/sh
# Compiles the kernels to PTX, without a GPU: NVRTC 11.8 is taken from its PyPI wheel, checked by SHA-256, and kept in
# .nvrtc, unless GRAFT_NVRTC names the library. PTX of 11.8 runs with drivers from CUDA 11.8 (r520) on, for
# compute_80 on any GPU of compute capability 8.0 or later.
set -eu
cd "$(dirname "$0")/.."
lib=${GRAFT_NVRTC:-}
if [ -z "$lib" ]; then
  lib=.nvrtc/nvidia/cuda_nvrtc/lib/libnvrtc.so.11.2
  if [ ! -e $lib ]; then
    rm -rf .nvrtc && mkdir .nvrtc
    python3 -m pip download -q --no-deps --only-binary=:all: --platform manylinux2014_x86_64 -d .nvrtc nvidia-cuda-nvrtc-cu11==11.8.89
    wheel=$(ls .nvrtc/*.whl)
    echo "a8d02f3cba345be56b1ffc3e74d8f61f02bb758dd31b0f20e12277a5a244f756  $wheel" | sha256sum -c - >/dev/null || { echo "gpu-ptx: $wheel is not the known file" >&2; exit 1; }
    python3 -m zipfile -e "$wheel" .nvrtc
  fi
  lib=$PWD/$lib
fi
go run ./internal/cuda/genptx -nvrtc "$lib" graph/kernel/gpu/cu internal/cuda/faults
