#!/bin/sh
# All tests: everything once (the kernels on every instruction set of this machine are a suite of their own there), what
# runs in several threads under the race detector, and without a C compiler what does not need onnxruntime.
set -eu
cd "$(dirname "$0")/.."
go vet ./...
go test -timeout 40m ./...
# A device's kernels start no goroutines: what uses them is raced, not they.
go test -timeout 20m -short -race $(go list ./graph/... ./train/... ./tokenize ./export ./cmd/... | grep -v /graph/kernel)
CGO_ENABLED=0 go build ./importer ./importer/fold ./importer/onnx ./importer/onnx/build ./importer/onnx/random ./tokenize ./graph/... ./train/... ./export
CGO_ENABLED=0 go test -short ./graph ./graph/exec ./graph/kernel/... ./graph/op ./graph/peft ./train/... ./tokenize
scripts/gpu-test.sh -short
