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
	Runs     int // of each thing, taken in turn
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
	PrivateMB float64 `json:"private_mb"` // largest private memory while it ran
}

// measured is something to measure: a function and the multiplications and additions it stands for.
type measured struct {
	name  string
	flops float64
	run   func(context.Context) error
	times []float64
	mem   float64
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
	things, closeAll, err := b.things(ks, seqs, ids)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	res := &BenchResult{Model: o.Model, Kernels: ks[0].Name(), Threads: len(ks), Tokens: tokens, Length: o.Length, Runs: o.Runs}
	bar := o.Progress.Start("measuring", (o.Runs+1)*(len(things)+1))
	defer bar.Done()
	var peaks []float64
	for r := range o.Runs + 1 { // the first run warms up
		p := peak(ks)
		bar.Add(1, "")
		if r > 0 {
			peaks = append(peaks, p)
		}
		for _, t := range things {
			if err := t.measure(ctx, r > 0); err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
			bar.Add(1, t.name)
		}
	}
	res.PeakGFLOPS = median(peaks)
	reference := median(things[0].times)
	for _, t := range things {
		s := median(t.times)
		res.Rows = append(res.Rows, BenchRow{Name: t.name, Seconds: s, Min: slices.Min(t.times), Max: slices.Max(t.times),
			TokensPS: float64(tokens) / s, Ratio: s / reference, Share: t.flops / s / 1e9 / res.PeakGFLOPS, PrivateMB: t.mem})
	}
	return res, nil
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

// things are what is measured; onnxruntime's forward pass comes first.
func (b *Base) things(ks []kernel.Kernels, seqs []*graph.Sequence, ids [][]int32) ([]*measured, func() error, error) {
	var outputs []string
	for _, out := range b.Outputs {
		if !out.Pooled {
			outputs = append(outputs, out.Name)
		}
	}
	s, err := ort.OpenFile(b.Path, b.File.Model, ort.Options{Threads: len(ks), Outputs: outputs})
	if err != nil {
		return nil, nil, err
	}
	batch := ort.Pad(ids, nil, int64(b.Config.PadTokenID))
	forward := b.flops(seqs)
	lora := peft.LoRA{R: 8, Alpha: 8, Targets: b.queryValue()}
	plain, err := graph.NewParams(b.Model, nil, 0, 1)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	tuned, err := graph.NewParams(b.Model, lora, benchClasses, 1)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	encoder := graph.NewEncoder(plain, ks)
	params := tuned.Of(graph.Adapter, graph.Head)
	trainer := graph.NewTrainer(tuned, ks, params)
	opt, grads := train.NewAdamW(params, 0.01), train.NewGradients(params)
	return []*measured{
		{name: "onnxruntime forward", flops: forward, run: func(ctx context.Context) error {
			_, err := s.Run(ctx, batch, nil)
			return err
		}},
		{name: "graft forward", flops: forward, run: func(ctx context.Context) error {
			_, err := encoder.Features(ctx, seqs)
			return err
		}},
		{name: "graft LoRA step", flops: 2 * forward, run: func(ctx context.Context) error {
			if _, err := trainer.Step(ctx, seqs, graph.MeanWeight(seqs)); err != nil {
				return err
			}
			grads.Zero()
			if err := grads.Add(trainer); err != nil {
				return err
			}
			opt.Step(ks, grads.G, 1e-3, grads.Clip(ks[0], 1))
			return nil
		}},
	}, s.Close, nil
}

// flops are the multiplications and additions of the forward pass up to the last hidden state.
func (b *Base) flops(seqs []*graph.Sequence) float64 {
	tokens, pairs := 0.0, 0.0
	for _, q := range seqs {
		n := float64(len(q.IDs))
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
		sum += 4 * pairs * float64(graph.HiddenSize(b.Encoder))
	}
	return sum
}

// measure runs the thing once and keeps its time.
func (m *measured) measure(ctx context.Context, keep bool) error {
	stop := watchMemory()
	start := time.Now()
	err := m.run(ctx)
	t := time.Since(start).Seconds()
	m.mem = max(m.mem, stop())
	if keep {
		m.times = append(m.times, t)
	}
	return err
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
		w.Packed = &kernel.Packed{Plain: k.Pack(w, false)}
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
