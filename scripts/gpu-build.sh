#!/bin/sh
# Builds, without a GPU and without CUDA, all that scripts/gpu-run.sh runs on a machine with a GPU, into .gpu/: graft, the
# test programs with the GPU's tests and the fixtures that they read, at most 60 MiB. SHARED is the folder of the fixtures
# and of the peers' scripts (../shared); without it the tests that read it skip.
set -eu
cd "$(dirname "$0")/.."
shared=${SHARED:-../shared}
out=.gpu
case $(go env CGO_ENABLED GOOS | tr '\n' ' ') in
"1 linux ") ;;
*) echo "gpu-build: needs cgo and Linux" >&2 && exit 1 ;;
esac
rm -rf $out && mkdir -p $out/bin $out/project
CGO_CFLAGS="-g -O2 -I$PWD/internal/cuda/include"
export CGO_CFLAGS
go build -trimpath -tags gpu -ldflags='-s -w' -o $out/bin/graft ./cmd/graft
for package in internal/cuda graph/kernel/gpu/cu graph/kernel/gpu graph train cmd/graft; do
	go test -c -trimpath -tags gpu -ldflags='-s -w' -o "$out/bin/$(echo $package | tr / -).test" ./$package
	mkdir -p "$out/project/$package"
done
# Tests look for their fixtures from the folder of their package on.
cp go.mod $out/project/
mkdir -p $out/project/importer $out/project/scripts
cp -r importer/testdata $out/project/importer/
cp scripts/gpu-run.sh $out/project/scripts/
if [ -d "$shared/fixtures/onnx" ]; then
	for file in bert/model.opset17.sdpa.onnx xlm-roberta/model.opset14.eager.onnx modernbert/model.opset17.sdpa.onnx \
		deberta-v2/model.opset17.eager.onnx albert/model.opset17.eager.onnx; do
		folder=$out/shared/fixtures/onnx/${file%/*}
		mkdir -p "$folder" && cp "$shared/fixtures/onnx/$file" "$shared/fixtures/onnx/${file%/*}/config.json" "$folder/"
	done
	mkdir -p $out/shared/peers && cp "$shared/peers/torch_step.py" "$shared/peers/panx-en.lengths" $out/shared/peers/
fi
chmod -R u+w $out
for program in $out/bin/*; do
	needed=$(readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
		grep -vE '^(libc|libm|libdl|libpthread|libresolv|ld-linux[^.]*)\.' || true)
	[ -z "$needed" ] || { echo "gpu-build: $program links to $needed" >&2 && exit 1; }
done
gzip -9 $out/bin/*
size=$(du -sm $out | cut -f1)
[ "$size" -le 60 ] || { echo "gpu-build: $out is $size MiB, more than 60" >&2 && exit 1; }
echo "$out: $size MiB"
