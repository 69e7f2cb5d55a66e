#!/bin/sh
# Compares our tokenizers' speed with that of Hugging Face's `tokenizers` (the npm package), both on one core, in one run
# and in turn; prints the table of docs/tokenizers.md. Not part of CI.
#   scripts/tokenizers-bench.sh [SHARED]
# SHARED holds data/ner and fixtures/tokenizers; the default is ../shared. Everything fetched or made goes to .bench/.
set -eu
cd "$(dirname "$0")/.."
shared=$(cd "${1:-../shared}" && pwd)
version=0.23.2
mkdir -p .bench
dir=$(cd .bench && pwd)
if [ ! -d "$dir/node_modules/tokenizers" ]; then
	echo '{"private": true, "name": "bench"}' > "$dir/package.json"
	(cd "$dir" && npm install --silent --no-audit --no-fund "tokenizers@$version")
fi
go build -o "$dir/tokenizers-bench" scripts/tokenizers-bench.go
echo "$(date -u +%F), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(go version | cut -d' ' -f3), node $(node --version), tokenizers $version"
GOMAXPROCS=1 taskset -c 0 "$dir/tokenizers-bench" "$shared" "$dir"
