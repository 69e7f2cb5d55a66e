package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/progress"
)

// BenchOptions say what is measured, and on what.
type BenchOptions struct {
	Model   string // a folder or an ONNX file
	Random  string // in place of Model: a random encoder of one of BenchSizes, in a temporary folder
	Threads int
	// Precision is that of our products with the encoder's weights: f32 (or empty), bf16 or auto. Peers that know --bf16
	// are asked for it too.
	Precision string
	Device    Device   // of our rows
	Runs      int      // of each thing, after one that warms up
	Methods   []string // the rows, by BenchKeys; none means all

	Length  int    // tokens of every sequence, unless Lengths is set
	Lengths string // file of sequence lengths, one a line
	Tokens  int    // most tokens of a batch of ours; 0 means batches of Batch sequences, as train makes them
	Batch   int    // sequences of a batch of those who pad, and of a meta step; at a constant length as many as Tokens are
	Batches int    // batches of Batch sequences that are taken from Lengths

	Scaling bool // also with one thread, and with all of them beside a busy process
	Solo    bool // measure one row alone: only the memory that it takes
	// Memory measures one row in a process of its own, with the options given; nil leaves memory out.
	Memory   func(ctx context.Context, o BenchOptions) (mb float64, err error)
	Peers    PeerOptions
	Progress *progress.Reporter
}

// BenchResult is what a machine does with an encoder.
type BenchResult struct {
	Model      string     `json:"model"`
	Kernels    string     `json:"kernels"`
	Precision  string     `json:"precision"` // of our products with the encoder's weights, and of the peak
	Threads    int        `json:"threads"`
	Lengths    string     `json:"lengths,omitempty"` // the file, where lengths differ
	Length     float64    `json:"length"`            // mean
	Tokens     int        `json:"tokens"`            // of a run: all its batches
	Sequences  int        `json:"sequences"`         // of a run
	Runs       int        `json:"runs"`
	PeakGFLOPS float64    `json:"peak_gflops"`    // of 1024³ products on all threads, median of all turns
	TriadGBPS  float64    `json:"triad_gb_per_s"` // of y += s·x in memory on all threads, likewise
	Others     float64    `json:"others_share"`   // of all processors' time that other processes took (Linux)
	Rows       []BenchRow `json:"rows"`
}

// BenchRow is one thing that was measured. Zero is what was not, or means nothing there.
type BenchRow struct {
	Key       string  `json:"key"`
	Name      string  `json:"name"`
	Threads   int     `json:"threads"`
	Steps     int     `json:"steps"`   // batches of a run
	Seconds   float64 `json:"seconds"` // of a step: the median of the runs
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
	TokensPS  float64 `json:"tokens_per_second"`    // real ones, without padding
	Ratio     float64 `json:"ratio,omitempty"`      // the time that a token takes to that in onnxruntime's forward pass, taken in turn
	Share     float64 `json:"peak_share,omitempty"` // of the peak on all threads, by the multiplications that the thing needs
	PrivateMB float64 `json:"private_mb,omitempty"` // largest private memory of a process that does this alone

	Of       string  `json:"of,omitempty"`                     // a peer's row: the key of ours that it stands beside
	Ours     float64 `json:"ours_tokens_per_second,omitempty"` // a peer's row: ours, in turn with it
	Speedup  float64 `json:"speedup,omitempty"`                // a peer's row: ours to theirs
	MemoryOf float64 `json:"memory_ratio,omitempty"`           // a peer's row: our private memory to theirs
}

// bench is a measurement under way.
type bench struct {
	BenchOptions
	base  *Base
	load  *benchLoad
	ks    []kernel.Kernels
	prec  kernel.Precision
	ref   *running // onnxruntime's forward pass, if it was asked for
	peers []peerScript

	peaks, triads []float64
	arrays        []triad
	probe         *probe // where a device has memory of its own
}

// Bench measures onnxruntime's forward pass, and graft's forward pass and steps of training, on the same tokens with
// the same threads. Each row is taken in turn with onnxruntime's forward pass, the sgemm peak and the memory's
// bandwidth, so that they see the same machine.
func Bench(ctx context.Context, o BenchOptions) (*BenchResult, error) {
	rows, err := benchRows(o.Methods)
	if err != nil {
		return nil, err
	}
	if err := o.check(rows); err != nil {
		return nil, err
	}
	if o.Random != "" {
		dir, err := randomEncoder(o.Random)
		defer os.RemoveAll(dir)
		if err != nil {
			return nil, err
		}
		o.Model = dir
	}
	m, err := importer.Open(o.Model)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if m.Padded != nil {
		return nil, fmt.Errorf("only encoders whose layers are recognised are measured, by the work of their blocks: %w", m.Padded.Reason)
	}
	b := &bench{BenchOptions: o, base: &Base{Model: m, Places: graph.Places(m.Encoder)}}
	if b.ks, b.prec, err = o.Device.engine(o.Threads, o.Precision, o.Progress.Printf); err != nil {
		return nil, err
	}
	defer closeKernels(b.ks)
	if o.Scaling && !onHost(b.ks) {
		return nil, fmt.Errorf("the scaling over threads is the CPU's, and this runs on %s", b.ks[0].Name())
	}
	if b.load, err = b.newLoad(); err != nil {
		return nil, err
	}
	if b.peers, err = b.Peers.open(); err != nil {
		return nil, err
	}
	res := &BenchResult{Model: o.Model, Kernels: b.ks[0].Name(), Precision: b.prec.String(), Threads: len(b.ks), Lengths: o.Lengths, Tokens: b.load.tokens,
		Sequences: len(b.load.seqs), Length: float64(b.load.tokens) / float64(len(b.load.seqs)), Runs: o.Runs}
	if o.Random != "" {
		res.Model = "random encoder (" + o.Random + ")"
	}
	if o.Solo {
		r, err := b.alone(ctx, rows[0])
		res.Rows = []BenchRow{r}
		return res, err
	}
	return res, b.all(ctx, rows, res)
}

// check returns an error for options that mean nothing.
func (o *BenchOptions) check(rows []benchRow) error {
	switch {
	case (o.Model == "") == (o.Random == ""):
		return errors.New("a model or a random encoder must be named, and not both")
	case o.Runs < 1:
		return fmt.Errorf("%d runs were asked for, want at least 1", o.Runs)
	case o.Solo && len(rows) != 1:
		return errors.New("one row can be measured alone: name it as the only method")
	case o.Lengths == "" && (o.Length < 1 || o.Tokens < o.Length):
		return fmt.Errorf("a batch of %d tokens holds no sequence of %d", o.Tokens, o.Length)
	case o.Lengths != "" && (o.Tokens < 0 || o.Batch < 1 || o.Batches < 1):
		return fmt.Errorf("batches of %d sequences, %d of them, up to %d tokens: numbers must be positive", o.Batch, o.Batches, o.Tokens)
	}
	return nil
}

// all measures the rows, one after the other, and then the memory of each.
func (b *bench) all(ctx context.Context, rows []benchRow, res *BenchResult) error {
	bar := b.Progress.Start("measuring", len(rows))
	defer bar.Done()
	if onHost(b.ks) {
		b.arrays = newTriads(len(b.ks))
	} else {
		var err error
		if b.probe, err = newProbe(b.ks[0], b.prec); err != nil {
			return err
		}
		defer b.probe.close()
	}
	others := watchOthers()
	if slices.ContainsFunc(rows, func(r benchRow) bool { return r.key == runtimeKey }) {
		var err error
		if b.ref, err = b.openRuntime(b.ks); err != nil {
			return err
		}
		defer b.ref.close()
	}
	for _, r := range rows {
		out, err := b.measure(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		res.Rows = append(res.Rows, out...)
		bar.Add(1, r.name)
	}
	res.PeakGFLOPS, res.TriadGBPS, res.Others = median(b.peaks), median(b.triads), others()
	if b.Memory == nil {
		return nil
	}
	b.arrays = nil
	debug.FreeOSMemory()
	return b.memory(ctx, res.Rows)
}

// measure takes the runs of a row in turn with onnxruntime's forward pass, then with the peers.
func (b *bench) measure(ctx context.Context, r benchRow) ([]BenchRow, error) {
	x, err := b.open(r, b.ks)
	if err != nil {
		return nil, err
	}
	if x != b.ref {
		defer debug.FreeOSMemory()
		defer x.close()
	}
	var reference, peaks []float64
	series := []*benchSeries{{row: BenchRow{Key: r.key, Name: r.name, Threads: len(b.ks)}, x: x}}
	if b.Scaling && r.key != runtimeKey {
		one, err := b.open(r, b.ks[:1])
		if err != nil {
			return nil, err
		}
		defer one.close()
		series = append(series,
			&benchSeries{row: BenchRow{Key: r.key + "/1", Name: r.name + ", 1 thread", Threads: 1}, x: one},
			&benchSeries{row: BenchRow{Key: r.key + "/busy", Name: r.name + ", busy neighbour", Threads: len(b.ks)}, x: x, busy: true})
	}
	for i := range b.Runs + 1 { // the first warms up
		p, g, err := b.rates()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			peaks, b.triads = append(peaks, p), append(b.triads, g)
		}
		if b.ref != nil && x != b.ref {
			d, err := timed(ctx, b.ref.run)
			if err != nil {
				return nil, fmt.Errorf("onnxruntime: %w", err)
			}
			if i > 0 {
				reference = append(reference, d)
			}
		}
		for _, s := range series {
			if err := s.take(ctx, i > 0); err != nil {
				return nil, err
			}
		}
	}
	b.peaks = append(b.peaks, peaks...)
	var rows []BenchRow
	for _, s := range series {
		row := s.result()
		row.Share = s.x.flops / (row.Seconds * float64(row.Steps)) / 1e9 / median(peaks)
		if x == b.ref {
			row.Ratio = 1
		} else if b.ref != nil {
			row.Ratio = float64(b.ref.tokens) / median(reference) / row.TokensPS
		}
		rows = append(rows, row)
	}
	peers, err := b.beside(ctx, r, x)
	return append(rows, peers...), err
}

// open makes a row ready; the reference is ready already.
func (b *bench) open(r benchRow, ks []kernel.Kernels) (*running, error) {
	if r.key == runtimeKey && b.ref != nil {
		return b.ref, nil
	}
	return r.open(b, ks)
}

// benchSeries are the runs of one line of the table.
type benchSeries struct {
	row   BenchRow
	x     *running
	busy  bool // beside a busy process
	times []float64
}

// take takes a run, and keeps its time.
func (s *benchSeries) take(ctx context.Context, keep bool) error {
	if s.busy {
		stop, err := neighbour(ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	d, err := timed(ctx, s.x.run)
	if err == nil && keep {
		s.times = append(s.times, d)
	}
	return err
}

func (s *benchSeries) result() BenchRow {
	r, n := s.row, float64(s.x.steps)
	r.Steps, r.Seconds, r.Min, r.Max = s.x.steps, median(s.times)/n, slices.Min(s.times)/n, slices.Max(s.times)/n
	r.TokensPS = float64(s.x.tokens) / median(s.times)
	return r
}

// timed is the time in seconds that f takes.
func timed(ctx context.Context, f func(context.Context) error) (float64, error) {
	start := time.Now()
	err := f(ctx)
	return time.Since(start).Seconds(), err
}

func median(x []float64) float64 {
	y := slices.Sorted(slices.Values(x))
	if n := len(y); n%2 == 0 {
		return (y[n/2-1] + y[n/2]) / 2
	}
	return y[len(y)/2]
}
