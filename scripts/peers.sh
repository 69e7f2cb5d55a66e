#!/bin/sh
# Measures graft's training steps beside PyTorch's: plain loops (torch_step.py), and transformers with peft and with
# adapters (hf_step.py), each in turn with ours, at length 128 and on PAN-X's lengths; prints a table of ratios.
#   scripts/peers.sh [SIZE...]
# SIZE is base or small, both by default. PEERS is the folder of the scripts and of panx-en.lengths (../shared/peers),
# PYTHON a Python with torch, transformers, peft and adapters (.interop/venv/bin/python, which make interop makes),
# THREADS the threads of both (2), RUNS how often each is run (3). CASES picks among 128, panx, hf, and bf16, which takes
# the first two in bf16 beside PyTorch's autocast. GATE is a command that every measurement is run through, such as one
# that waits until the machine is free. bin/graft must be built: make peers does that first. The results stay in
# .bench/peers/ as JSON.
set -eu
cd "$(dirname "$0")/.."
peers=${PEERS:-../shared/peers}
python=${PYTHON:-.interop/venv/bin/python}
threads=${THREADS:-2}
runs=${RUNS:-3}
out=.bench/peers
[ -f "$peers/torch_step.py" ] || { echo "no torch_step.py in $peers: let PEERS name its folder" >&2; exit 1; }
[ -x "$python" ] || { echo "no $python: make interop makes it, or let PYTHON name another" >&2; exit 1; }
GRAFT_ORT_LIB=$(scripts/ort.sh)
export GRAFT_ORT_LIB HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
mkdir -p "$out"

# measure NAME SIZE ARGUMENTS...
measure() {
	name=$1 size=$2
	shift 2
	echo "$name" >&2
	${GATE:-} bin/graft bench --random "$size" --threads "$threads" --runs 1 --peer "$python" --peer-runs "$runs" \
		--json "$out/$name.json" --quiet "$@" >&2
}

wants() {
	case " ${CASES:-128 panx hf bf16} " in *" $1 "*) return 0 ;; esac
	return 1
}

[ $# -gt 0 ] || set -- base small
for size; do
	for method in lora pfeiffer; do
		torch="--methods $method --peer-script $peers/torch_step.py"
		panx="--lengths $peers/panx-en.lengths"
		if wants 128; then measure "$size-128-$method" "$size" $torch; fi
		if wants panx; then measure "$size-panx-$method" "$size" $torch $panx; fi
		if wants hf; then measure "$size-hf-$method" "$size" --methods $method --peer-script "$peers/hf_step.py"; fi
		if wants bf16; then
			measure "$size-bf16-128-$method" "$size" $torch --precision bf16
			measure "$size-bf16-panx-$method" "$size" $torch $panx --precision bf16
		fi
	done
done
go run scripts/peers.go "$out"/*.json
