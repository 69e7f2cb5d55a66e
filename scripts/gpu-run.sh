#!/bin/bash
# Runs on a machine with a GPU what scripts/gpu-build.sh made: the suites of every kernel, whole networks, loss curves
# and the command line against the processor's kernels, the sanitizer of CUDA where it is found, and graft bench, beside
# PyTorch where it is found. Needs a driver and cuBLAS, no toolkit and no Go. Logs go to $OUT (.gpu/out).
# SKIP names what is left out: suites networks curves commands sanitizer bench. LIMIT is the seconds of each (600).
# Exit status: 0 all passed, 1 something failed, 3 no GPU.
set -uo pipefail
cd "$(dirname "$0")/.."
gpu=$PWD/.gpu
[ "$(basename "$(dirname "$PWD")")/$(basename "$PWD")" = .gpu/project ] && gpu=$(dirname "$PWD")
for packed in "$gpu"/bin/*.gz; do
	[ ! -f "$packed" ] || gunzip -f "$packed" || exit 1
done
[ -x "$gpu/bin/graft" ] || { echo "gpu-run: no $gpu/bin/graft: run scripts/gpu-build.sh first" >&2; exit 1; }
OUT=${OUT:-$gpu/out}
mkdir -p "$OUT"
nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv 2>/dev/null | tee "$OUT/gpu.csv"
[ "$(wc -l <"$OUT/gpu.csv")" -ge 2 ] || { echo "gpu-run: no GPU: nvidia-smi names none" >&2; exit 3; }

# cuBLAS as the system's linker finds it, or wherever a toolkit or PyTorch put it; the newest.
if [ -z "${GRAFT_LIBCUBLAS:-}" ]; then
	GRAFT_LIBCUBLAS=$({ ldconfig -p 2>/dev/null | grep -oE '/[^ ]*libcublas\.so\.1[0-9]$'
		find /opt /usr/local /usr/lib "${VIRTUAL_ENV:-/nonexistent}" -name 'libcublas.so.1[0-9]' 2>/dev/null
	} | awk -F. '{ print $NF, $0 }' | sort -k1,1nr | awk 'NR == 1 { print $2 }')
fi
[ -n "$GRAFT_LIBCUBLAS" ] || { echo "gpu-run: no libcublas.so.11, 12 or 13: let GRAFT_LIBCUBLAS name it" >&2; exit 1; }
export GRAFT_LIBCUBLAS
LD_LIBRARY_PATH=$(dirname "$GRAFT_LIBCUBLAS")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
echo "cuBLAS: $GRAFT_LIBCUBLAS"

passed=0 failed=0
# check NAME FOLDER COMMAND...: runs it in a folder of the project, and counts how it ended. A program that only skipped
# its tests has shown nothing.
check() {
	local name=$1 folder=$2 status
	shift 2
	echo "== $name"
	(cd "$gpu/project/$folder" && timeout "${LIMIT:-600}" "$@") >"$OUT/$name.log" 2>&1
	status=$?
	tail -n "${LINES_SHOWN:-5}" "$OUT/$name.log"
	if [ $status = 0 ] && ! grep -qE 'no GPU: ' "$OUT/$name.log"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$name: exit status $status, see $OUT/$name.log"
	fi
}
wants() { case " ${SKIP:-} " in *" $1 "*) return 1 ;; esac; }

if wants suites; then
	check cuda internal/cuda "$gpu/bin/internal-cuda.test" -test.v
	check cu graph/kernel/gpu/cu "$gpu/bin/graph-kernel-gpu-cu.test" -test.v
	check kernels graph/kernel/gpu "$gpu/bin/graph-kernel-gpu.test" -test.v
fi
wants networks && check networks graph "$gpu/bin/graph.test" -test.v -test.run 'OnAGPU'
wants curves && check curves train "$gpu/bin/train.test" -test.v -test.run 'OnAGPU'
wants commands && check commands cmd/graft "$gpu/bin/cmd-graft.test" -test.v -test.run 'OnAGPU'
if wants sanitizer && command -v compute-sanitizer >/dev/null; then
	for tool in memcheck racecheck synccheck initcheck; do
		check "$tool" graph/kernel/gpu compute-sanitizer --tool "$tool" --error-exitcode 9 \
			"$gpu/bin/graph-kernel-gpu.test" -test.short -test.run 'TestSuite|TestRecord'
	done
fi
if wants bench; then
	python=${PYTHON:-python3}
	peer=
	"$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null && peer=$gpu/shared/peers
	for lengths in "" "--lengths $gpu/shared/peers/panx-en.lengths"; do
		kind=${lengths:+panx}
		[ -z "$lengths" ] || [ -f "${lengths#* }" ] || continue
		for precision in f32 tf32 bf16; do
			# shellcheck disable=SC2086 # no argument, or two
			check "bench-${kind:-128}-$precision" . "$gpu/bin/graft" bench --random base --device gpu --precision $precision \
				--methods forward,lora,pfeiffer --runs 5 --tokens 32768 $lengths
		done
		[ -z "$peer" ] && continue
		for batch in 16 64 256; do
			# shellcheck disable=SC2086
			check "torch-${kind:-128}-$batch" . "$python" "$peer/torch_step.py" --device cuda --bf16 --batch $batch --steps 20 $lengths
		done
	done
fi
echo "$passed passed, $failed failed; logs in $OUT"
[ $failed = 0 ]
