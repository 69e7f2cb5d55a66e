package app

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/progress"
	"github.com/seed-aefebe89/graft/train/data"
	"github.com/seed-aefebe89/graft/train/meta"
)

// AdapterDir is the folder of a primed base that holds the adapter's start.
const AdapterDir = "adapter"

// checkpointFile is what a run keeps its state in, in its output folder, until it is done.
const checkpointFile = "checkpoint.safetensors"

// PrimeOptions say what is primed, on what, and where the result goes.
type PrimeOptions struct {
	Model   string
	Sources []string // IOB2 files, one a language
	Limit   int      // sentences of each; 0 means all
	Length  int      // tokens of a sentence; 0 means DefaultLength
	Method  MethodOptions
	meta.Settings
	Out       string
	Threads   int
	Precision string // of products with the encoder's weights: f32 (or empty), bf16 or auto
	Progress  *progress.Reporter
}

// PrimeRecord is what a primed base tells of its making.
type PrimeRecord struct {
	Settings  meta.Settings `json:"settings"`
	Sources   []string      `json:"sources"`
	Limit     int           `json:"limit,omitempty"`
	Length    int           `json:"max_length"`
	Threads   int           `json:"threads"`
	Precision string        `json:"precision"` // of products with the encoder's weights
	Result    *meta.Result  `json:"result"`
	Seconds   float64       `json:"seconds"`
}

// Prime primes an encoder and writes it to Out: a model folder like the original, and in its AdapterDir the start of the
// coming fine-tuning.
func Prime(ctx context.Context, o PrimeOptions) (*PrimeRecord, error) {
	start := time.Now()
	if o.Out == "" {
		return nil, errors.New("no output folder is named")
	}
	b, err := OpenBase(o.Model)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	method, err := b.Method(o.Method)
	if err != nil {
		return nil, err
	}
	var sources []*Source
	var all [][]data.Sentence
	for _, path := range o.Sources {
		s, err := ReadSource(path, o.Limit)
		if err != nil {
			return nil, err
		}
		sources, all = append(sources, s), append(all, s.Sentences)
	}
	labels := data.Labels(all...)
	enc, err := b.encoder(labels, o.Length)
	if err != nil {
		return nil, err
	}
	p, err := graph.NewParams(b.Model, method, len(labels), o.Seed)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	ks := Threads(o.Threads)
	if err := setPrecision(p, o.Precision, ks[0]); err != nil {
		return nil, err
	}
	run := &meta.Prime{Settings: o.Settings, Params: p, Kernels: ks, Progress: o.Progress,
		Checkpoint: filepath.Join(o.Out, checkpointFile)}
	rec := &PrimeRecord{Limit: o.Limit, Length: enc.MaxLength, Threads: len(run.Kernels), Precision: p.Precision.String()}
	for _, s := range sources {
		xs, err := enc.Examples(s.Path, s.Sentences)
		if err != nil {
			return nil, err
		}
		run.Tasks = append(run.Tasks, meta.Task{Name: s.Name(), Examples: xs})
		rec.Sources = append(rec.Sources, s.Name())
	}
	if rec.Result, err = run.Run(ctx); err != nil {
		return nil, err
	}
	rec.Settings, rec.Seconds = run.Settings, time.Since(start).Seconds()
	if err := b.writePrimed(o.Out, p, labels, rec); err != nil {
		return nil, err
	}
	return rec, os.Remove(run.Checkpoint)
}

// writePrimed writes the encoder and the adapter's start.
func (b *Base) writePrimed(dir string, p *graph.Params, labels []string, rec *PrimeRecord) error {
	trained := map[*importer.Weight][]float32{}
	for _, q := range p.Encoding(rec.Settings.Embeddings) {
		trained[q.Weight] = q.Data
	}
	if err := export.WriteBase(dir, b.Model, trained); err != nil {
		return err
	}
	primed, err := OpenBase(dir)
	if err != nil {
		return err
	}
	defer primed.Close()
	d := deltaOf(p, AdapterDir, slices.Clone(labels))
	if d.Base, err = primed.Digest(); err != nil {
		return err
	}
	if d.Record, err = json.Marshal(rec); err != nil {
		return err
	}
	return export.WriteDelta(filepath.Join(dir, AdapterDir), d, primed.Model, primed.Places)
}
