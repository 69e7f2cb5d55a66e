package train

import (
	"context"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/seed-aefebe89/graft/graph"
)

// Footprint is the memory that Run will take: what is told before the first step. It computes nothing.
func (f *FineTune) Footprint() (*Footprint, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return f.footprint(f.choose())
}

// footprint is Footprint once it is chosen what is trained.
func (f *FineTune) footprint(onFeatures bool) (*Footprint, error) {
	sessions := []*graph.Session{f.session, f.tagger.session}
	r := &Footprint{Trained: graph.Count(f.params), Gradients: GradientBytes(f.params), Optimiser: OptimiserBytes(f.params),
		Copies: 2 * 4 * graph.Count(f.params)}
	if onFeatures {
		sessions = append(sessions, f.hidden())
		r.Features = int(f.featureBytes())
	}
	var err error
	r.Footprint, err = graph.FootprintOf(f.Params, sessions...)
	return r, err
}

// prepare chooses what is trained and makes the sessions; where all of it sits on top of the encoder, the examples'
// hidden states are computed here, once.
func (f *FineTune) prepare(ctx context.Context) (onFeatures bool, err error) {
	onFeatures = f.choose()
	if onDevice(f.Kernels) {
		told, err := f.footprint(onFeatures)
		if err == nil {
			err = told.Fits(f.Kernels[0])
		}
		if err != nil {
			return false, err
		}
	}
	if onFeatures {
		bar := f.Progress.Start("hidden states", len(f.Train)+len(f.Dev))
		defer bar.Done()
		s := f.hidden()
		defer s.Release()
		if f.Train, err = features(ctx, s, f.Train, bar); err != nil {
			return false, err
		}
		if f.Dev, err = features(ctx, s, f.Dev, bar); err != nil {
			return false, err
		}
	}
	if f.start, err = graph.Snapshot(f.params); err != nil {
		return false, err
	}
	if f.best, err = graph.Snapshot(f.params); err != nil {
		return false, err
	}
	if f.opt, err = NewAdamW(f.Kernels[0], f.params, f.WeightDecay); err != nil {
		return false, err
	}
	if f.grads, err = graph.NewVector(f.Kernels[0], f.params); err != nil {
		return false, err
	}
	f.session.Into = f.grads
	f.saved = time.Now()
	return onFeatures, nil
}

// choose sets what is trained and makes the sessions, with room for every batch to come. It tells whether they start
// from hidden states that are computed once.
func (f *FineTune) choose() (onFeatures bool) {
	f.params = f.Params.Of(graph.Adapter, graph.Head)
	if f.Base {
		base := f.Params.Encoding(false)
		for _, p := range base {
			p.Thaw()
		}
		f.params = append(f.params, base...)
	}
	limit := f.FeatureBytes
	if limit == 0 {
		limit = 2 << 30
	}
	onFeatures = !f.Base && graph.OnTop(f.Params) && f.featureBytes() <= limit
	if onFeatures {
		f.session = graph.NewTopTrainer(f.Params, f.Kernels, f.params)
		f.tagger = newTopTagger(f.Encoder, f.Params, f.Kernels)
	} else {
		f.session = graph.NewTrainer(f.Params, f.Kernels, f.params)
		f.tagger = NewTagger(f.Encoder, f.Params, f.Kernels)
	}
	f.session.Reserve(f.batches())
	f.tagger.session.Reserve(taggerBatches(f.Dev))
	return onFeatures
}

// hidden is the session that computes the examples' hidden states.
func (f *FineTune) hidden() *graph.Session {
	s := graph.NewEncoder(f.Params, f.Kernels)
	s.Reserve(taggerBatches(f.Train))
	s.Reserve(taggerBatches(f.Dev))
	return s
}

// featureBytes is the memory of the hidden states of all examples' rows.
func (f *FineTune) featureBytes() int64 {
	rows := 0
	for _, xs := range [][]*Example{f.Train, f.Dev} {
		for _, x := range xs {
			rows += len(x.Seq.Rows)
		}
	}
	return 4 * int64(rows) * int64(graph.HiddenSize(f.Params.Model.Encoder))
}

// order is the order in which an epoch takes the examples. Every learning rate has the same.
func (f *FineTune) order(epoch int) []int {
	return rand.New(rand.NewPCG(f.Seed, uint64(epoch)+1)).Perm(len(f.Train))
}

// batch is what a step of an epoch in some order takes.
func (f *FineTune) batch(order []int, step int) []*Example {
	var xs []*Example
	for _, i := range order[step*f.Batch : min(len(order), (step+1)*f.Batch)] {
		xs = append(xs, f.Train[i])
	}
	return xs
}

// batches are those of all epochs.
func (f *FineTune) batches() iter.Seq[[]*graph.Sequence] {
	return func(yield func([]*graph.Sequence) bool) {
		for epoch := range f.Epochs {
			order := f.order(epoch)
			for step := 0; step*f.Batch < len(order); step++ {
				if !yield(sequences(f.batch(order, step))) {
					return
				}
			}
		}
	}
}
