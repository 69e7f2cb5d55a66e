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
	"github.com/seed-aefebe89/graft/train"
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
	Memory    graph.Memory
	Out       string
	Threads   int
	Device    Device
	Precision string // of products with the encoder's weights: f32 (or empty), tf32, bf16 or auto
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

// priming is a priming that is ready to run. Close its base after use.
type priming struct {
	*meta.Prime
	base   *Base
	labels []string
	length int
}

// ready reads what priming needs.
func (o *PrimeOptions) ready() (r *priming, err error) {
	b, err := OpenBase(o.Model)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
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
	r = &priming{base: b, labels: data.Labels(all...)}
	enc, err := b.encoder(r.labels, o.Length)
	if err != nil {
		return nil, err
	}
	r.length = enc.MaxLength
	p, err := graph.NewParams(b.Model, method, len(r.labels), o.Seed)
	if err != nil {
		return nil, err
	}
	ks, err := setEngine(p, o.Device, o.Threads, o.Precision, o.Memory, o.Progress.Printf)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeKernels(ks)
		}
	}()
	r.Prime = &meta.Prime{Settings: o.Settings, Params: p, Kernels: ks, Progress: o.Progress}
	for _, s := range sources {
		xs, err := enc.Examples(s.Path, s.Sentences)
		if err != nil {
			return nil, err
		}
		r.Prime.Tasks = append(r.Prime.Tasks, meta.Task{Name: s.Name(), Examples: xs})
	}
	return r, nil
}

// PrimeFootprint tells the memory that Prime will take, without priming.
func PrimeFootprint(o PrimeOptions) (*train.Footprint, error) {
	r, err := o.ready()
	if err != nil {
		return nil, err
	}
	defer r.base.Close()
	defer closeKernels(r.Kernels)
	return r.Footprint()
}

// Prime primes an encoder and writes it to Out: a model folder like the original, and in its AdapterDir the start of the
// coming fine-tuning.
func Prime(ctx context.Context, o PrimeOptions) (*PrimeRecord, error) {
	start := time.Now()
	if o.Out == "" {
		return nil, errors.New("no output folder is named")
	}
	r, err := o.ready()
	if err != nil {
		return nil, err
	}
	defer r.base.Close()
	defer closeKernels(r.Kernels)
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	r.Checkpoint = filepath.Join(o.Out, checkpointFile)
	rec := &PrimeRecord{Limit: o.Limit, Length: r.length, Threads: len(r.Kernels), Precision: r.Params.Precision.String()}
	for _, t := range r.Prime.Tasks {
		rec.Sources = append(rec.Sources, t.Name)
	}
	if rec.Result, err = r.Run(ctx); err != nil {
		return nil, err
	}
	rec.Settings, rec.Seconds = r.Settings, time.Since(start).Seconds()
	if err := r.base.writePrimed(o.Out, r.Params, r.labels, rec); err != nil {
		return nil, err
	}
	return rec, os.Remove(r.Checkpoint)
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
