#!/bin/sh
# Holds graft's files to Python's libraries and theirs to graft, in a virtual environment of its own under .interop/,
# which takes about 6 GB (torch brings its GPU libraries along). bin/graft must be built: make interop does both.
# With --record the result also goes into docs/interop.md. PYTHON names another interpreter than python3.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
venv=.interop/venv
wanted=.interop/requirements.txt

mkdir -p .interop
cat >"$wanted.new" <<'REQUIREMENTS'
accelerate==1.15.0
adapters==1.3.0
huggingface_hub==0.36.2
ml_dtypes==0.6.0
numpy==2.4.6
onnx==1.23.2
onnx-ir==1.1.0
onnxruntime==1.32.0
onnxscript==0.7.2
peft==0.21.2
protobuf==7.36.2
safetensors==0.8.0
tokenizers==0.22.2
torch==2.15.0
transformers==4.57.6
REQUIREMENTS
if ! cmp -s "$wanted.new" "$wanted" || ! [ -x "$venv/bin/python" ]; then
	"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
		echo "Python 3.11 or later is needed: let PYTHON name one" >&2
		exit 1
	}
	rm -rf "$venv" "$wanted"
	"$python" -m venv "$venv"
	echo "installing Python's libraries into $venv" >&2
	for try in 1 2 3; do
		"$venv/bin/pip" install --quiet --disable-pip-version-check --timeout 120 -r "$wanted.new" && break
		[ "$try" -lt 3 ] || { echo "pip could not install them" >&2; exit 1; }
	done
	mv "$wanted.new" "$wanted"
else
	rm "$wanted.new"
fi
GRAFT_ORT_LIB=$(scripts/ort.sh)
export GRAFT_ORT_LIB HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1
export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" scripts/interop.py "$@"
