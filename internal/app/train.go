package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/internal/progress"
	"github.com/seed-aefebe89/graft/train"
	"github.com/seed-aefebe89/graft/train/data"
)

// TrainOptions say what is trained, on what, and where the delta goes.
type TrainOptions struct {
	Model      string
	Train, Dev string // IOB2 files
	TrainLimit int    // sentences; 0 means all
	DevLimit   int
	Length     int      // tokens of a sentence; 0 means DefaultLength
	Labels     []string // classes; none means those of the training file, or of Start
	Method     MethodOptions
	Start      string // a delta's folder whose adapter is the start, as priming writes it; empty for a fresh one
	KeepHead   bool   // take over the head of Start too
	train.Settings
	Memory    graph.Memory
	Out       string
	Threads   int
	Device    Device
	Precision string // of products with the encoder's weights: f32 (or empty), tf32, bf16 or auto
	Progress  *progress.Reporter
}

// TrainRecord is what a delta tells of its making.
type TrainRecord struct {
	Model     string         `json:"model"`
	Language  string         `json:"language"`
	Start     string         `json:"start,omitempty"`
	Settings  train.Settings `json:"settings"`
	Train     int            `json:"train_sentences"`
	Dev       int            `json:"dev_sentences"`
	Length    int            `json:"max_length"`
	Threads   int            `json:"threads"`
	Precision string         `json:"precision"` // of products with the encoder's weights
	Result    *train.Result  `json:"result"`
	Seconds   float64        `json:"seconds"`
}

// training is a fine-tuning that is ready to run. Close its base after use.
type training struct {
	*train.FineTune
	base       *Base
	language   string
	classes    []string
	train, dev int // sentences
}

// ready reads what training needs.
func (o *TrainOptions) ready() (t *training, err error) {
	if o.Settings.Base {
		return nil, errors.New("a delta leaves the base as it is: train the whole encoder with prime --how ft")
	}
	b, err := OpenBase(o.Model)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	tr, err := ReadSource(o.Train, o.TrainLimit)
	if err != nil {
		return nil, err
	}
	dev, err := ReadSource(o.Dev, o.DevLimit)
	if err != nil {
		return nil, err
	}
	p, labels, err := b.startOf(*o, tr.Sentences)
	if err != nil {
		return nil, err
	}
	enc, err := b.encoder(labels, o.Length)
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
	f := &train.FineTune{Settings: o.Settings, Params: p, Encoder: enc, Kernels: ks, Progress: o.Progress}
	if f.Train, err = enc.Examples(tr.Path, tr.Sentences); err != nil {
		return nil, err
	}
	if f.Dev, err = enc.Examples(dev.Path, dev.Sentences); err != nil {
		return nil, err
	}
	return &training{FineTune: f, base: b, language: tr.Name(), train: len(tr.Sentences), dev: len(dev.Sentences), classes: labels}, nil
}

// TrainFootprint tells the memory that Train will take, without training.
func TrainFootprint(o TrainOptions) (*train.Footprint, error) {
	t, err := o.ready()
	if err != nil {
		return nil, err
	}
	defer t.base.Close()
	defer closeKernels(t.Kernels)
	return t.Footprint()
}

// Train trains an adapter and a head and writes them to Out as a delta.
func Train(ctx context.Context, o TrainOptions) (*TrainRecord, error) {
	start := time.Now()
	if o.Out == "" {
		return nil, errors.New("no output folder is named")
	}
	t, err := o.ready()
	if err != nil {
		return nil, err
	}
	b := t.base
	defer b.Close()
	defer closeKernels(t.Kernels)
	t.Checkpoint = filepath.Join(o.Out, checkpointFile)
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	res, err := t.Run(ctx)
	if err != nil {
		return nil, err
	}
	rec := &TrainRecord{Model: filepath.Base(filepath.Clean(b.Dir)), Language: t.language, Settings: t.Settings, Train: t.train,
		Dev: t.dev, Length: t.Encoder.MaxLength, Threads: len(t.Kernels),
		Precision: t.Params.Precision.String(), Result: res, Seconds: time.Since(start).Seconds()}
	if o.Start != "" {
		rec.Start = filepath.Base(filepath.Clean(o.Start))
	}
	d := deltaOf(t.Params, filepath.Base(filepath.Clean(o.Out)), t.classes)
	if d.Base, err = b.Digest(); err != nil {
		return nil, err
	}
	if d.Record, err = json.Marshal(rec); err != nil {
		return nil, err
	}
	if err := export.WriteDelta(o.Out, d, b.Model, b.Places); err != nil {
		return nil, err
	}
	return rec, os.Remove(t.Checkpoint)
}

// startOf makes the parameters that training starts from, and the classes.
func (b *Base) startOf(o TrainOptions, sentences []data.Sentence) (*graph.Params, []string, error) {
	labels := o.Labels
	if o.Start == "" {
		if o.KeepHead {
			return nil, nil, errors.New("there is no head to keep: no start is named")
		}
		method, err := b.Method(o.Method)
		if err != nil {
			return nil, nil, err
		}
		if len(labels) == 0 {
			labels = data.Labels(sentences)
		}
		p, err := graph.NewParams(b.Model, method, len(labels), o.Seed)
		return p, labels, err
	}
	d, err := b.ReadDelta(o.Start)
	if err != nil {
		return nil, nil, err
	}
	if len(labels) == 0 {
		labels = d.Labels
	}
	if o.KeepHead && !slices.Equal(labels, d.Labels) {
		return nil, nil, fmt.Errorf("the head of %s has the labels %v, not %v", o.Start, d.Labels, labels)
	}
	p, err := graph.NewParams(b.Model, d.Method, len(labels), o.Seed)
	if err != nil {
		return nil, nil, err
	}
	groups := []graph.Group{graph.Adapter}
	if o.KeepHead {
		groups = append(groups, graph.Head)
	}
	return p, labels, fill(p.Of(groups...), d)
}
