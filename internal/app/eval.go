package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/progress"
	"github.com/seed-aefebe89/graft/train"
	"github.com/seed-aefebe89/graft/train/data"
	"github.com/seed-aefebe89/graft/train/metric"
)

// EvalOptions say which delta is evaluated on what, and where it runs.
type EvalOptions struct {
	Place
	Test      string // an IOB2 file
	Limit     int    // sentences; 0 means all
	Seen      string // the IOB2 file that the delta was trained on: sentences that stand there are scored apart
	Graph     bool   // run in graft's graph
	Runtime   bool   // run in onnxruntime
	Setting   string // what the row of a table is called, for reports
	Threads   int
	Device    Device // of the graph
	Precision string // of the graph's products with the encoder's weights: f32 (or empty), tf32, bf16 or auto
	Progress  *progress.Reporter
}

// EvalResult is what an evaluation came to.
type EvalResult struct {
	Setting   string          `json:"setting,omitempty"`
	Language  string          `json:"language"`
	Delta     string          `json:"delta"`
	Sentences int             `json:"sentences"`
	Graph     *metric.Report  `json:"graph,omitempty"`
	Runtime   *metric.Report  `json:"onnxruntime,omitempty"`
	Equal     *int            `json:"equal,omitempty"`  // sentences with the same tags in both
	Unseen    *metric.Report  `json:"unseen,omitempty"` // over the sentences that do not stand in Seen
	Record    json.RawMessage `json:"record,omitempty"` // how the delta was trained
	Counts    []metric.Counts `json:"counts,omitempty"` // by sentence, for comparing systems
	MaxLength int             `json:"max_length"`
	Precision string          `json:"precision,omitempty"` // of the graph's products with the encoder's weights
}

// runtimeAlone returns an error where a device or a precision is asked of onnxruntime.
func runtimeAlone(d Device, precision string) error {
	what := ""
	switch {
	case precision != "" && precision != kernel.Float32.String():
		what = "precision"
	case d.Name != "" && d.Name != "cpu":
		what = "device"
	default:
		return nil
	}
	return fmt.Errorf("a %s is that of graft's own engine, and this runs in onnxruntime: leave it out, or ask for the engine graph", what)
}

// F1 is the score of the evaluation: that of the graph, or of onnxruntime where only that ran.
func (r *EvalResult) F1() float64 {
	if r.Graph != nil {
		return r.Graph.Micro.F1
	}
	return r.Runtime.Micro.F1
}

// Eval labels the test sentences and scores them, in the graph, in onnxruntime, or in both.
func Eval(ctx context.Context, o EvalOptions) (*EvalResult, error) {
	if !o.Graph {
		if err := runtimeAlone(o.Device, o.Precision); err != nil {
			return nil, err
		}
	}
	t, err := OpenTask(o.Place)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	test, err := ReadSource(o.Test, o.Limit)
	if err != nil {
		return nil, err
	}
	var rec TrainRecord
	if t.Delta.Record != nil {
		if err := json.Unmarshal(t.Delta.Record, &rec); err != nil {
			return nil, fmt.Errorf("the delta's training record: %w", err)
		}
	}
	enc, err := t.encoder(t.Delta.Labels, rec.Length)
	if err != nil {
		return nil, err
	}
	xs, err := enc.Examples(test.Path, test.Sentences)
	if err != nil {
		return nil, err
	}
	r := &EvalResult{Setting: o.Setting, Language: test.Name(), Delta: t.Delta.Name, Sentences: len(xs), Record: t.Delta.Record, MaxLength: enc.MaxLength}
	gold := train.Gold(xs)
	var tags, other [][]string
	if o.Graph {
		if tags, r.Precision, err = t.graphTags(ctx, enc, xs, o); err != nil {
			return nil, err
		}
		if r.Graph, err = score(gold, tags); err != nil {
			return nil, err
		}
	}
	if o.Runtime {
		d, err := t.Runtime(len(Threads(o.Threads)))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		bar := o.Progress.Start("evaluating in onnxruntime", len(xs))
		other, err = t.runtimeTags(ctx, d, enc, xs, bar)
		bar.Done()
		if err != nil {
			return nil, err
		}
		if r.Runtime, err = score(gold, other); err != nil {
			return nil, err
		}
	}
	if o.Graph && o.Runtime {
		n := 0
		for i := range tags {
			if slices.Equal(tags[i], other[i]) {
				n++
			}
		}
		r.Equal = &n
	}
	if tags == nil {
		tags = other
	}
	if r.Counts, err = metric.SentenceCounts(gold, tags, metric.Conlleval); err != nil {
		return nil, err
	}
	return r, r.unseen(o.Seen, test, gold, tags)
}

// graphTags labels the examples in the graph and tells the precision.
func (t *Task) graphTags(ctx context.Context, enc *train.Encoder, xs []*train.Example, o EvalOptions) (tags [][]string, precision string, err error) {
	p, err := t.Params(t.Delta)
	if err != nil {
		return nil, "", err
	}
	ks, prec, err := o.Device.engine(o.Threads, o.Precision, o.Progress.Printf)
	if err != nil {
		return nil, "", err
	}
	defer closeKernels(ks)
	p.Precision = prec
	bar := o.Progress.Start("evaluating in the graph", len(xs))
	defer bar.Done()
	tags, err = train.NewTagger(enc, p, ks).Tags(ctx, xs, bar)
	return tags, p.Precision.String(), err
}

func score(gold, tags [][]string) (*metric.Report, error) {
	r, err := metric.Evaluate(gold, tags, metric.Conlleval)
	return &r, err
}

// unseen scores the sentences that do not stand in the training file.
func (r *EvalResult) unseen(path string, test *Source, gold, tags [][]string) error {
	if path == "" {
		return nil
	}
	seen, err := ReadSource(path, 0)
	if err != nil {
		return err
	}
	var g, p [][]string
	for i, dup := range data.Dedup(seen.Sentences, test.Sentences) {
		if !dup {
			g, p = append(g, gold[i]), append(p, tags[i])
		}
	}
	r.Unseen, err = score(g, p)
	return err
}
