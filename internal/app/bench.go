package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/progress"
	"github.com/seed-aefebe89/graft/train"
)

// BenchOptions say what is measured.
type BenchOptions struct {
	Model    string
	Tokens   int // of a batch
	Length   int // of each sequence
	Threads  int
	Runs     int                                                            // of each thing, taken in turn
	Only     string                                                         // measure this one alone: one of BenchNames
	Memory   func(ctx context.Context, only string) (mb float64, err error) // measures one thing in a process of its own
	Progress *progress.Reporter
}

// BenchResult are medians over the runs, all in one process and taken in turn, so that they see the same machine.
type BenchResult struct {
	Model      string     `json:"model"`
	Kernels    string     `json:"kernels"`
	Threads    int        `json:"threads"`
	Tokens     int        `json:"tokens"`
	Length     int        `json:"length"`
	Runs       int        `json:"runs"`
	PeakGFLOPS float64    `json:"peak_gflops"` // of a 1024³ product on all threads
	Rows       []BenchRow `json:"rows"`
}

// BenchRow is one thing that was measured.
type BenchRow struct {
	Name      string  `json:"name"`
	Seconds   float64 `json:"seconds"` // median
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
	TokensPS  float64 `json:"tokens_per_second"`
	Ratio     float64 `json:"ratio"`      // to onnxruntime's forward
	Share     float64 `json:"peak_share"` // of the peak, by the multiplications that the thing needs
	PrivateMB float64 `json:"private_mb"` // largest private memory of a process that does this alone
}

// BenchNames are the things that are measured.
var BenchNames = []string{"onnxruntime forward", "graft forward", "graft LoRA step"}

// measured is something to measure: what makes it ready, and the multiplications and additions it stands for.
type measured struct {
	name  string
	flops float64
	open  func() (run func(context.Context) error, err error)
	run   func(context.Context) error
	times []float64
}

// Bench measures onnxruntime's forward pass, graft's, and a LoRA step (rank 8 on queries and values, the loss over all
// tokens, and AdamW), on the same tokens with the same threads.
func Bench(ctx context.Context, o BenchOptions) (*BenchResult, error) {
	m, err := importer.Open(o.Model)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	b := &Base{Model: m, Places: graph.Places(m.Encoder)}
	if o.Tokens < o.Length || o.Length < 1 || o.Runs < 1 {
		return nil, errors.New("tokens, length and runs must be positive, and a batch must hold one sequence")
	}
	ks := Threads(o.Threads)
	seqs, ids := benchBatch(b, o)
	tokens := len(seqs) * o.Length
	things, closeAll := b.things(ks, seqs, ids)
	defer closeAll()
	if o.Only != "" {
		things = slices.DeleteFunc(things, func(t *measured) bool { return t.name != o.Only })
		if len(things) == 0 {
			return nil, fmt.Errorf("there is nothing called %q to measure; there are %q", o.Only, BenchNames)
		}
	}
	res := &BenchResult{Model: o.Model, Kernels: ks[0].Name(), Threads: len(ks), Tokens: tokens, Length: o.Length, Runs: o.Runs}
	stop := watchMemory()
	peaks, err := measureAll(ctx, things, ks, o)
	memory := stop()
	if err != nil {
		return nil, err
	}
	res.PeakGFLOPS = median(peaks)
	reference := median(things[0].times)
	for _, t := range things {
		s := median(t.times)
		r := BenchRow{Name: t.name, Seconds: s, Min: slices.Min(t.times), Max: slices.Max(t.times), TokensPS: float64(tokens) / s,
			Ratio: s / reference, Share: t.flops / s / 1e9 / res.PeakGFLOPS, PrivateMB: memory}
		if o.Only == "" && o.Memory != nil {
			if r.PrivateMB, err = o.Memory(ctx, t.name); err != nil {
				return nil, err
			}
		}
		res.Rows = append(res.Rows, r)
	}
	return res, nil
}

// measureAll takes the runs, everything in turn, and returns the peaks of each turn. The first turn warms up.
func measureAll(ctx context.Context, things []*measured, ks []kernel.Kernels, o BenchOptions) (peaks []float64, err error) {
	bar := o.Progress.Start("measuring", (o.Runs+1)*len(things))
	defer bar.Done()
	for r := range o.Runs + 1 {
		if p := peak(ks); r > 0 {
			peaks = append(peaks, p)
		}
		for _, t := range things {
			if t.run == nil {
				if t.run, err = t.open(); err != nil {
					return nil, fmt.Errorf("%s: %w", t.name, err)
				}
			}
			start := time.Now()
			if err := t.run(ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
			if d := time.Since(start).Seconds(); r > 0 {
				t.times = append(t.times, d)
			}
			bar.Add(1, t.name)
		}
	}
	return peaks, nil
}

// benchBatch makes sequences of random tokens, each with a class for every token.
func benchBatch(b *Base, o BenchOptions) ([]*graph.Sequence, [][]int32) {
	vocab := 1000
	for _, op := range b.Ops {
		if e, ok := op.(*importer.Embedding); ok {
			vocab = e.Tables[0].Shape[0]
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	var seqs []*graph.Sequence
	var ids [][]int32
	for range o.Tokens / o.Length {
		q := &graph.Sequence{}
		for range o.Length {
			q.IDs = append(q.IDs, int32(5+r.IntN(vocab-5)))
			q.Targets = append(q.Targets, int32(r.IntN(benchClasses)))
		}
		seqs, ids = append(seqs, q), append(ids, q.IDs)
	}
	return seqs, ids
}

// benchClasses is the size of the head: PER, ORG and LOC in IOB2.
const benchClasses = 7

// things are what is measured; onnxruntime's forward pass comes first. Each is made ready when it first runs.
func (b *Base) things(ks []kernel.Kernels, seqs []*graph.Sequence, ids [][]int32) ([]*measured, func() error) {
	var session *ort.Session
	forward := b.flops(seqs)
	runtime := func() (func(context.Context) error, error) {
		var outputs []string
		for _, out := range b.Outputs {
			if !out.Pooled {
				outputs = append(outputs, out.Name)
			}
		}
		s, err := ort.OpenFile(b.Path, b.File.Model, ort.Options{Threads: len(ks), Outputs: outputs})
		if err != nil {
			return nil, err
		}
		session = s
		batch := ort.Pad(ids, nil, int64(b.Config.PadTokenID))
		return func(ctx context.Context) error { _, err := s.Run(ctx, batch, nil); return err }, nil
	}
	ours := func() (func(context.Context) error, error) {
		p, err := graph.NewParams(b.Model, nil, 0, 1)
		if err != nil {
			return nil, err
		}
		s := graph.NewEncoder(p, ks)
		return func(ctx context.Context) error { _, err := s.Features(ctx, seqs); return err }, nil
	}
	step := func() (func(context.Context) error, error) {
		p, err := graph.NewParams(b.Model, peft.LoRA{R: 8, Alpha: 8, Targets: b.queryValue()}, benchClasses, 1)
		if err != nil {
			return nil, err
		}
		params := p.Of(graph.Adapter, graph.Head)
		s, opt, grads := graph.NewTrainer(p, ks, params), train.NewAdamW(params, 0.01), train.NewGradients(params)
		return func(ctx context.Context) error {
			if _, err := s.Step(ctx, seqs, graph.MeanWeight(seqs)); err != nil {
				return err
			}
			grads.Zero()
			if err := grads.Add(s); err != nil {
				return err
			}
			opt.Step(ks, grads.G, 1e-3, grads.Clip(ks[0], 1))
			return nil
		}, nil
	}
	return []*measured{
			{name: BenchNames[0], flops: forward, open: runtime},
			{name: BenchNames[1], flops: forward, open: ours},
			{name: BenchNames[2], flops: 2 * forward, open: step},
		}, func() error {
			if session == nil {
				return nil
			}
			return session.Close()
		}
}

// flops are the multiplications and additions of the forward pass up to the last hidden state.
func (b *Base) flops(seqs []*graph.Sequence) float64 {
	tokens, pairs, longest := 0.0, 0.0, 0.0
	for _, q := range seqs {
		n := float64(len(q.IDs))
		longest = max(longest, n)
		tokens += n
		pairs += n * n
	}
	sum := 0.0
	for _, l := range b.Layers {
		for _, v := range []importer.Value{l.Query, l.Key, l.Value, l.AttentionOutput, l.Up, l.Down} {
			if v != importer.None {
				x := b.Ops[v].(*importer.Linear)
				sum += 2 * tokens * float64(x.In()) * float64(x.Out())
			}
		}
		a := b.Ops[l.Attention].(*importer.Attention)
		for _, r := range []*importer.Relative{a.Keys, a.Queries} { // a row for each distance, but one for each bucket at most, and a term of each score
			if r != nil {
				h := float64(graph.HiddenSize(b.Encoder))
				sum += 2*min(float64(b.Distances[r.Distance].Limit), 2*longest-1)*h*h + 2*pairs*h
			}
		}
		sum += 4 * pairs * float64(graph.HiddenSize(b.Encoder))
	}
	return sum
}

// peak is the rate in GFLOP/s of products of 1024³ on all threads.
func peak(ks []kernel.Kernels) float64 {
	const n, times = 1024, 4
	var wg sync.WaitGroup
	start := make(chan struct{})
	for _, k := range ks {
		a, b, c := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
		for i := range a {
			a[i], b[i] = float32(i%7), float32(i%5)
		}
		w := kernel.F32(b, n, n)
		w.Packed = &kernel.Packed{Plain: k.Pack(w, false, kernel.Float32, nil)}
		wg.Go(func() {
			<-start
			for range times {
				k.MatMul(kernel.F32(c, n, n), kernel.F32(a, n, n), w, kernel.MatMul{})
			}
		})
	}
	t := time.Now()
	close(start)
	wg.Wait()
	return float64(len(ks)) * times * 2 * n * n * n / time.Since(t).Seconds() / 1e9
}

func median(x []float64) float64 {
	y := slices.Sorted(slices.Values(x))
	if n := len(y); n%2 == 0 {
		return (y[n/2-1] + y[n/2]) / 2
	}
	return y[len(y)/2]
}

// Write prints the result as a table.
func (r *BenchResult) Write(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d tokens in sequences of %d, %d threads, %s, medians of %d runs taken in turn\n", r.Model, r.Tokens, r.Length, r.Threads, r.Kernels, r.Runs)
	fmt.Fprintf(w, "sgemm peak of this run: %.0f GFLOP/s\n", r.PeakGFLOPS)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\tms\tmin\tmax\ttokens/s\t× onnxruntime\t% of peak\tprivate MB\t")
	for _, x := range r.Rows {
		fmt.Fprintf(tw, "%s\t%.1f\t%.1f\t%.1f\t%.0f\t%.2f\t%.0f\t%.0f\t\n", x.Name, 1e3*x.Seconds, 1e3*x.Min, 1e3*x.Max, x.TokensPS, x.Ratio, 100*x.Share, x.PrivateMB)
	}
	return tw.Flush()
}
