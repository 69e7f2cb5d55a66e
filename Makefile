# Two commands do all set-up on a fresh Debian or Ubuntu machine with Go and a C compiler:
#   make demo    the main job on the embedded encoder and corpus
#   make test    all tests
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME   ?= 60s
ORT         = $$(scripts/ort.sh)

# GPU code needs cgo and Linux; CUDA's own headers are not needed.
CUDA_CFLAGS = -g -O2 -I$(CURDIR)/internal/cuda/include
GPU_TAGS    = $(if $(filter 1linux,$(shell go env CGO_ENABLED GOOS | tr -d '\n')),-tags gpu)

.PHONY: build demo test short gpu gpu-asan gpu-faults race asan lint fuzz bench peers parity interop ort clean

build: bin/graft

bin/graft: FORCE
	CGO_CFLAGS="$(CUDA_CFLAGS)" go build -trimpath $(GPU_TAGS) -o bin/graft ./cmd/graft
FORCE:

# onnxruntime's library, fetched and checked; an existing GRAFT_ORT_LIB is used as it is.
ort:
	@scripts/ort.sh

demo: build
	GRAFT_ORT_LIB=$(ORT) bin/graft demo

test:
	lib=$(ORT) && GRAFT_ORT_LIB=$$lib scripts/test.sh

# Under two minutes: no real corpora, no large models.
short:
	lib=$(ORT) && GRAFT_ORT_LIB=$$lib go test -short ./...

# The GPU's kernels and all that launches them, on an emulation of CUDA: the long form of what make test runs.
gpu:
	scripts/gpu-test.sh

# The suites under the address sanitizer, which sees what kernels of the emulation read and write, in one order of threads:
# addresses do not depend on it.
gpu-asan:
	CGO_CFLAGS="-fsanitize=address -g -O1 -I$(CURDIR)/internal/cuda/include" CGO_CXXFLAGS="-fsanitize=address -g -O1" \
		CGO_LDFLAGS=-fsanitize=address go test -short -asan -count=1 -skip '/^backwards$$' -tags gpu,emu \
		./internal/cuda/... ./graph/kernel/gpu/...

# Faults planted in the kernels, each of which a test must find; takes minutes.
gpu-faults:
	CGO_CFLAGS="$(CUDA_CFLAGS)" GRAFT_FAULTS=1 go test -count=1 -timeout 30m -tags gpu,emu -run TestPlantedFaults -v ./graph/kernel/gpu

race:
	lib=$(ORT) && GRAFT_ORT_LIB=$$lib go test -short -race ./...

# The address sanitizer over the C kernels.
asan:
	CGO_CFLAGS="-fsanitize=address -g -O1" CGO_LDFLAGS=-fsanitize=address go test -short -asan -count=1 ./graph/kernel/...

lint:
	test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

# Every fuzz target for FUZZTIME.
fuzz:
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

# MODEL is a model folder; the default is the demo's encoder.
MODEL ?= testdata/demo/e5-mini
bench: build
	GRAFT_ORT_LIB=$(ORT) bin/graft bench --model $(MODEL)
	go test -run '^$$' -bench . -benchtime 0.3s ./graph/kernel/cpu ./tokenize

# Our steps of training beside PyTorch's, transformers with peft, and adapters, in a Python environment of its own.
peers: build
	scripts/peers.sh

# The table of every encoder file here: forward pass, gradients, exported delta and slotted graph against onnxruntime.
PARITY ?= bin/parity.md
parity:
	mkdir -p bin
	lib=$(ORT) && GRAFT_ORT_LIB=$$lib go test -count=1 -run TestParity ./internal/app -args -parity "$(abspath $(PARITY))"; \
		status=$$?; cat "$(PARITY)"; exit $$status

# Our files in Hugging Face's libraries and theirs here, in a Python environment of its own; results in docs/interop.md.
interop: build
	scripts/interop.sh

clean:
	rm -rf bin runs .interop
