#!/bin/sh
# The GPU's code without a GPU: vet, the suites on the emulation, and a program that needs no CUDA to start. Arguments
# go to go test.
set -eu
cd "$(dirname "$0")/.."
case $(go env CGO_ENABLED GOOS GOARCH | tr '\n' ' ') in
"1 linux amd64 " | "1 linux arm64 ") ;;
*) echo "gpu-test: no cgo, or not Linux on amd64 or arm64: left out" && exit 0 ;;
esac
CGO_CFLAGS="-g -O2 -I$PWD/internal/cuda/include"
export CGO_CFLAGS
packages="./internal/cuda/... ./graph/kernel/gpu/..."
go vet -tags gpu,emu $packages ./graph ./train ./cmd/graft
go test -tags gpu,emu "$@" $packages
# Whole networks, the curves of their losses and the command line, against the processor's kernels.
go test -tags gpu,emu -run OnAGPU "$@" ./graph ./train ./cmd/graft
# Without the emulation the tests skip where there is no GPU, and the program needs libc alone.
binary=$(mktemp)
trap 'rm -f "$binary"' EXIT
go test -c -tags gpu -o "$binary" ./internal/cuda
needed=$(readelf -d "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libm|libdl|libpthread|libresolv|ld-linux[^.]*)\.' || true)
[ -z "$needed" ] || { echo "gpu-test: links to $needed" >&2 && exit 1; }
"$binary"
