#!/bin/sh
# Fetches onnxruntime's shared library into .ort/, unless GRAFT_ORT_LIB names one. Prints the library's path.
# The library is one file of the npm package onnxruntime-node, taken with npm pack and checked against its digest.
set -eu
version=1.30.0
root=$(cd "$(dirname "$0")/.." && pwd)

if [ -n "${GRAFT_ORT_LIB:-}" ]; then
	[ -f "$GRAFT_ORT_LIB" ] || { echo "GRAFT_ORT_LIB names $GRAFT_ORT_LIB, which is not there" >&2; exit 1; }
	echo "$GRAFT_ORT_LIB"
	exit 0
fi
case $(uname -sm) in
"Linux x86_64") arch=x64 sum=ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23 ;;
"Linux aarch64") arch=arm64 sum=1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76 ;;
*) echo "onnxruntime-node has no library for $(uname -sm): let GRAFT_ORT_LIB name libonnxruntime.so, 1.29 or later" >&2; exit 1 ;;
esac
dir=$root/.ort
lib=$dir/libonnxruntime.so.1
matches() { [ -f "$1" ] && echo "$sum  $1" | sha256sum --check --status; }

if ! matches "$lib"; then
	if ! command -v npm >/dev/null; then
		if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
			echo "installing npm" >&2
			apt-get update -qq >&2
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm >&2
		else
			echo "npm is needed to fetch onnxruntime: install it (apt-get install npm), or let GRAFT_ORT_LIB name libonnxruntime.so" >&2
			exit 1
		fi
	fi
	mkdir -p "$dir"
	tmp=$(mktemp -d "$dir/fetch.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	echo "fetching onnxruntime-node $version" >&2
	(cd "$tmp" && npm pack --silent "onnxruntime-node@$version" >&2)
	file=package/bin/napi-v6/linux/$arch/libonnxruntime.so.1
	tar -xzf "$tmp/onnxruntime-node-$version.tgz" -C "$tmp" "$file"
	matches "$tmp/$file" || { echo "the library in onnxruntime-node $version has another digest than $sum" >&2; exit 1; }
	mv "$tmp/$file" "$lib"
fi
echo "$lib"
