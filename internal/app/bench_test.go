package app

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

// tiny writes the zero Config's encoder: 3 layers, hidden 32, feed-forward 64, 128 positions.
func tiny(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := random.Folder(dir, 1, random.Config{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func textFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ours are all rows but onnxruntime's, which need no library.
func ours() []string { return BenchKeys()[1:] }

func TestBenchMeasuresEveryRow(t *testing.T) {
	keys := BenchKeys()
	if err := ort.Load(); err != nil {
		keys = ours()
	}
	o := BenchOptions{Model: tiny(t), Runs: 2, Threads: 2, Methods: keys, Tokens: 64, Length: 16, Precision: "bf16"}
	r, err := Bench(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range r.Rows {
		got = append(got, x.Key)
		tokens := 64.0
		if x.Key == "meta" {
			tokens *= 2 * 6 // two tasks, five support batches and a query batch
		}
		if x.Seconds <= 0 || x.Min > x.Seconds || x.Max < x.Seconds || x.Steps != 1 || x.Share <= 0 {
			t.Errorf("%+v", x)
		}
		if d := x.TokensPS*x.Seconds - tokens; d > 1e-6 || d < -1e-6 {
			t.Errorf("%s: %g tokens in a run, want %g", x.Key, x.TokensPS*x.Seconds, tokens)
		}
		if slices.Contains(keys, runtimeKey) != (x.Ratio > 0) {
			t.Errorf("%s: ratio %g", x.Key, x.Ratio)
		}
	}
	if !slices.Equal(got, keys) {
		t.Errorf("rows %v, want %v", got, keys)
	}
	if r.Tokens != 64 || r.Sequences != 4 || r.Precision != "bf16" || r.PeakGFLOPS <= 0 || r.TriadGBPS <= 0 {
		t.Errorf("%+v", r)
	}
	var table bytes.Buffer
	if err := r.Write(&table); err != nil || strings.Count(table.String(), "\n") != len(keys)+3 {
		t.Errorf("%v, the table is\n%s", err, &table)
	}
}

func TestBenchOnAFileOfLengths(t *testing.T) {
	o := BenchOptions{Model: tiny(t), Runs: 1, Threads: 2, Methods: []string{"forward", "lora"}, Scaling: true,
		Lengths: textFile(t, "lengths", "5\n\n 60\n7\n"), Tokens: 70, Batch: 2, Batches: 3}
	r, err := Bench(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	// 5 60 | 7 5 | 60 7, of which three fit into 70 tokens at first, and the file is read again.
	if r.Tokens != 144 || r.Sequences != 6 {
		t.Errorf("%d tokens in %d sequences, want 144 in 6", r.Tokens, r.Sequences)
	}
	var keys []string
	for _, x := range r.Rows {
		keys = append(keys, x.Key)
		if x.Steps != 3 {
			t.Errorf("%s: %d steps, want 5+60, 7+5 and 60+7", x.Key, x.Steps)
		}
	}
	if want := []string{"forward", "forward/1", "forward/busy", "lora", "lora/1", "lora/busy"}; !slices.Equal(keys, want) {
		t.Errorf("rows %v, want %v", keys, want)
	}
	o.Tokens, o.Scaling, o.Methods = 0, false, []string{"meta"}
	if r, err = Bench(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if x := r.Rows[0]; x.TokensPS*x.Seconds < 575 || x.TokensPS*x.Seconds > 577 {
		t.Errorf("a meta step of %.1f tokens, want 2 tasks of 6 batches: 24 sequences of 24 tokens on average", x.TokensPS*x.Seconds)
	}
}

func TestRandomEncodersHaveTheirSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200 MB")
	}
	dir, err := randomEncoder("small")
	defer os.RemoveAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := importer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if h, v := graph.HiddenSize(m.Encoder), vocabulary(m.Encoder); len(m.Layers) != 12 || h != 384 || v != 46287 {
		t.Errorf("%d layers, hidden %d, vocabulary %d", len(m.Layers), h, v)
	}
}

func TestBenchRefuses(t *testing.T) {
	model := tiny(t)
	lengths := func(text string) func(*BenchOptions) {
		path := textFile(t, "lengths", text)
		return func(o *BenchOptions) { o.Lengths, o.Batch, o.Batches = path, 2, 2 }
	}
	for want, change := range map[string]func(*BenchOptions){
		`nothing called "prefix"`:                  func(o *BenchOptions) { o.Methods = []string{"lora", "prefix"} },
		"holds no sequence of 128":                 func(o *BenchOptions) { o.Tokens = 100 },
		"takes at most 128":                        func(o *BenchOptions) { o.Length = 200; o.Tokens = 200 },
		"0 runs":                                   func(o *BenchOptions) { o.Runs = 0 },
		"and not both":                             func(o *BenchOptions) { o.Random = "base" },
		"a precision can be":                       func(o *BenchOptions) { o.Precision = "int4" },
		`no size "huge"`:                           func(o *BenchOptions) { o.Model, o.Random = "", "huge" },
		"one row can be measured alone":            func(o *BenchOptions) { o.Solo = true },
		"lengths:2: \"many\" is no length":         lengths("7\nmany\n"),
		"lengths:1: a length of 0 tokens":          lengths("0\n"),
		"lengths:1: a length of -3":                lengths("-3\n"),
		"lengths:3: a length of 129 tokens, want":  lengths("3\n\n129\n"),
		"there is no length in it":                 lengths("\n \n"),
		"no such file":                             func(o *BenchOptions) { o.Lengths, o.Batch, o.Batches = "/nowhere/lengths", 1, 1 },
		"must be positive":                         func(o *BenchOptions) { o.Lengths = model },
		"make interop makes":                       func(o *BenchOptions) { o.Peers = PeerOptions{Python: "/nowhere/python"} },
		"--peer-script wants":                      func(o *BenchOptions) { o.Peers = PeerOptions{Python: "sh"} },
		"declares neither --method nor --stack":    peer(t, `a.add_argument("--steps")`),
		"want a line of JSON with tokens_per_s":    peer(t, "# add_argument(\"--method\")\necho done"),
		"exit status 3: no module":                 peer(t, "# add_argument(\"--method\")\necho no module >&2; exit 3"),
		"reading a peer's script: open /nowhere/x": func(o *BenchOptions) { o.Peers = PeerOptions{"sh", []string{"/nowhere/x"}, 1, 1} },
	} {
		o := BenchOptions{Model: model, Runs: 1, Threads: 1, Methods: []string{"forward", "lora"}, Tokens: 128, Length: 128}
		change(&o)
		if _, err := Bench(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// peer is a script in the shell's language, with the options of a Python script in its comments.
func peer(t *testing.T, script string) func(*BenchOptions) {
	path := textFile(t, "peer.sh", script)
	return func(o *BenchOptions) { o.Peers = PeerOptions{"sh", []string{path}, 1, 1} }
}

// A peer is given the sizes of our encoder and our lengths, twice: after any warm-up, a run of all batches takes each
// sequence once.
func TestPeersAreGivenTheSame(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	o := BenchOptions{Model: tiny(t), Runs: 1, Threads: 2, Methods: []string{"head", "pfeiffer", "lora"}, Tokens: 64, Batch: 2, Batches: 2, Precision: "bf16",
		Lengths: textFile(t, "lengths", "3\n9\n4\n8\n1\n")}
	peer(t, `# a.add_argument("--method"); a.add_argument( "--lengths"); a.add_argument('--hidden'); a.add_argument("--steps")
# a.add_argument("--group", action="store_true"); a.add_argument("--vocab"); a.add_argument("--ffn"); a.add_argument("--heads"); a.add_argument("--bf16")
echo "$@" >>`+log+`
while [ $# -gt 1 ]; do [ $1 != --lengths ] || tr '\n' ' ' <$2 >>`+log+`; shift; done
echo >>`+log+`
echo '{"tokens_per_s": 100, "step_ms": 120}'
`)(&o)
	o.Peers.Runs = 2
	o.Memory = func(_ context.Context, o BenchOptions) (float64, error) {
		if !o.Solo || len(o.Methods) != 1 || o.Peers.enabled() {
			t.Errorf("memory is measured with %+v", o)
		}
		return float64(len(o.Methods[0])), nil
	}
	r, err := Bench(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, x := range r.Rows {
		keys = append(keys, x.Key)
		if x.Of == "" {
			if x.PrivateMB != float64(len(x.Key)) {
				t.Errorf("%s: %g MB", x.Key, x.PrivateMB)
			}
			continue
		}
		if x.TokensPS != 100 || x.Seconds != 0.12 || x.Ours <= 0 || x.Speedup != x.Ours/100 || x.Steps != 2 {
			t.Errorf("%+v", x)
		}
	}
	want := []string{"head", "pfeiffer", "pfeiffer/peer-bottleneck-bf16", "pfeiffer/peer-bottleneck-bf16/grouped", "lora", "lora/peer-lora-bf16", "lora/peer-lora-bf16/grouped"}
	if !slices.Equal(keys, want) {
		t.Errorf("rows %v, want %v", keys, want)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	for i, want := range []string{"--method bottleneck --hidden 32 --heads 4 --ffn 64 --vocab 500 --steps 2 --lengths ", "3 9 4 8 3 9 4 8 "} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("the peer was given %q, want %q", lines[i], want)
		}
	}
	if n := strings.Count(string(b), "--method lora"); n != 4 {
		t.Errorf("%d runs of the peer's LoRA, want 2, and 2 grouped", n)
	}
}

// A process of ours that is at work is none of the others; all shares are of the whole machine.
func TestWatchOthers(t *testing.T) {
	share := watchOthers()
	stop, err := neighbour(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for range 3 {
		peak(Threads(1), kernel.Float32)
	}
	if x := share(); x < 0 || x > 1 {
		t.Errorf("others took a share of %g", x)
	}
}

func TestBenchEndsWithItsContext(t *testing.T) {
	for _, key := range ours() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		o := BenchOptions{Model: tiny(t), Runs: 1, Threads: 1, Methods: []string{key}, Tokens: 64, Length: 16}
		if _, err := Bench(ctx, o); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// The zero Config by hand: 3 layers of 4 matrices 32×32 and 2 of 32×64, on sequences of 5 and 7 tokens.
func TestWorkOfSteps(t *testing.T) {
	m, err := importer.Open(tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	seqs := []*graph.Sequence{{IDs: make([]int32, 5)}, {IDs: make([]int32, 7)}}
	const (
		h, wide = 32 * 32, 32 * 64
		layer   = 2 * 12 * (4*h + 2*wide)
		pairs   = 2 * 32 * (25 + 49) // one product of attention
		head    = 2 * 12 * 32 * 7
		forward = 3 * (layer + 2*pairs)
	)
	if got := forwardWork(m, seqs); got != forward {
		t.Errorf("forward: %g, want %d", got, forward)
	}
	b := &bench{base: &Base{Model: m, Places: graph.Places(m.Encoder)}}
	top := peft.Bottleneck{Where: peft.Top, Size: 4, Activation: kernel.ReLU}
	for name, c := range map[string]struct {
		method peft.Method
		base   bool
		want   float64
	}{
		"head":         {nil, false, forward + 2*head},
		"top":          {top, false, forward + 3*head + 3*2*2*12*32*4},
		"full":         {nil, true, 3*(3*layer+6*pairs) + 3*head},
		"top and base": {top, true, 3*(3*layer+6*pairs) + 3*head + 3*2*2*12*32*4},
		// Nothing below layer 0's queries and values wants a gradient, nor do its keys.
		"lora": {b.lora(), false, forward + 2*layer + 8*pairs + 2*12*(h+2*wide) + 3*pairs + 3*3*2*2*2*12*32*8 + 3*head},
		// In layer 0 nothing below the adapter wants a gradient.
		"pfeiffer": {b.pfeiffer(), false, forward + 2*layer + 8*pairs + 3*3*2*2*12*32*2 + 3*head},
	} {
		if got := stepWork(m, c.method, c.base, seqs); got != c.want {
			t.Errorf("%s: %g, want %g", name, got, c.want)
		}
	}
	if got, want := storedWork(m, top, seqs), 2.0*head+3*2*2*12*32*4+head; got != want {
		t.Errorf("stored: %g, want %g", got, want)
	}
}

// The same with disentangled attention, by hand: of 16 rows of relative positions sequences of up to 7 tokens take 13.
func TestWorkOfRelativePositions(t *testing.T) {
	file, err := random.Disentangled(1, random.Config{}, random.Relative{OwnMaps: true})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := importer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	seqs := []*graph.Sequence{{IDs: make([]int32, 5)}, {IDs: make([]int32, 7)}}
	const (
		maps    = 2 * 12 * (4*32*32 + 2*32*64)
		places  = 2 * 13 * 2 * 32 * 32 // position keys and queries
		pairs   = 2 * 32 * (25 + 49)   // one product of attention
		forward = 3 * (maps + places + 4*pairs)
		head    = 2 * 12 * 32 * 7
	)
	if got := forwardWork(m, seqs); got != forward {
		t.Errorf("forward: %g, want %d", got, forward)
	}
	if got, want := stepWork(m, nil, true, seqs), 3.0*(3*maps+3*places+12*pairs)+3*head; got != want {
		t.Errorf("full: %g, want %g", got, want)
	}
	// No gradient is wanted of positions, nor of layer 0's keys.
	lora := (&bench{base: &Base{Model: m, Places: graph.Places(m.Encoder)}}).lora()
	want := forward + 2*maps + 12.0*pairs + 2*12*(32*32+2*32*64) + 4*pairs + 3*3*2*2*2*12*32*8 + 3*head
	if got := stepWork(m, lora, false, seqs); got != want {
		t.Errorf("lora: %g, want %g", got, want)
	}
}

func FuzzLengths(f *testing.F) {
	for _, s := range []string{"", "12\n3\n", "\n\n7", "-1", "99999999999999999999", "1 2", "5\r\n6\r\n", "+3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := parseLengths(strings.NewReader(s), 100, 512)
		if err == nil && (len(x) == 0 || len(x) > 100) {
			t.Errorf("%d lengths", len(x))
		}
		for _, n := range x {
			if n < 1 || n > 512 {
				t.Errorf("a length of %d", n)
			}
		}
	})
}
