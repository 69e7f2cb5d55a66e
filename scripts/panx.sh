#!/bin/sh
# The experiment of docs/panx.md: adapter tuning on the plain and on the primed encoder, on PAN-X.
#   scripts/panx.sh MODEL DATA OUT
# MODEL is an encoder's folder; DATA holds <language>/{train,dev,test}.iob2. Interrupted, the same command goes on.
set -eu
model=$1 data=$2 out=$3
graft=${GRAFT:-bin/graft}
targets=${TARGETS:-"af hi et az"}
seeds=${SEEDS:-"1 2"}
mkdir -p "$out/results"

[ -f "$out/primed/adapter/graft.json" ] || "$graft" prime --model "$model" \
	--source "$data/en/train.iob2" --source "$data/es/train.iob2" --limit 8000 --max-length 127 \
	--steps "${STEPS:-200}" --outer-lr 1e-4 --inner-steps 5 --inner-lr 0.03 --batch 32 --size 64 --out "$out/primed"

for seed in $seeds; do
	for lang in $targets; do
		tune() { # setting, name, further flags
			setting=$1 name=$2; shift 2
			[ -f "$out/results/$name.json" ] && return
			"$graft" train "$@" --train "$data/$lang/train.iob2" --dev "$data/$lang/dev.iob2" --limit 3000 --dev-limit 500 \
				--max-length 127 --lr 1e-3,3e-3 --epochs 15 --batch 32 --clip 0 --seed "$seed" --out "$out/$name"
			base=$2
			"$graft" export --model "$base" --delta "$out/$name" --out "$out/served-$setting"
			"$graft" eval --exported "$out/served-$setting" --delta "$name" --test "$data/$lang/test.iob2" --limit 1000 \
				--seen "$data/$lang/train.iob2" --engine both --setting "$setting" --save "$out/results/$name.json"
		}
		tune "AT" "at-$lang-$seed" --model "$model" --size 64
		tune "MP→AT" "mp-$lang-$seed" --model "$out/primed" --start "$out/primed/adapter"
	done
done
"$graft" report "$out"/results/at-*.json "$out"/results/mp-*.json
