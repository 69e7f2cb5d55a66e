package app

import (
	"cmp"
	"context"
	"errors"
	"iter"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/train"
	"github.com/seed-aefebe89/graft/train/meta"
)

// benchTasks are the source languages of a meta step.
const benchTasks = 2

// benchOuterSteps bounds the outer steps that can be measured: priming looks at all of its batches before the first.
const benchOuterSteps = 10_000

var errEnough = errors.New("enough outer steps were measured")

// openMeta is an outer step of priming as `graft prime` takes it unless told otherwise: two source languages, a top
// adapter, five inner steps and a query batch in each, and the encoder moved by AdamW.
func (b *bench) openMeta(ks []kernel.Kernels) (*running, error) {
	p, err := b.params(b.top(), benchClasses)
	if err != nil {
		return nil, err
	}
	prime := &meta.Prime{Settings: meta.Settings{OuterSteps: benchOuterSteps, Batch: b.load.batch, WeightDecay: 0.01, Clip: 1, Seed: 1},
		Params: p, Kernels: ks}
	r := &running{steps: 1}
	var seqs []*graph.Sequence
	for range benchTasks {
		// A pass of a task's stream is one outer step, so that every step goes through the same tokens.
		t := meta.Task{Name: "task"}
		for range (meta.DefaultInnerSteps + 1) * b.load.batch {
			q := b.load.seqs[len(seqs)%len(b.load.seqs)]
			seqs = append(seqs, q)
			t.Examples = append(t.Examples, &train.Example{Seq: *q})
			r.tokens += len(q.IDs)
		}
		prime.Tasks = append(prime.Tasks, t)
	}
	r.flops = metaWork(b.base.Model, b.top(), seqs)
	// The outer steps are pulled one by one out of a single run of priming.
	ctx, cancel := context.WithCancelCause(context.Background())
	var failed error
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		prime.Stepped = func(int) error {
			if !yield(struct{}{}) {
				return errEnough
			}
			return nil
		}
		_, failed = prime.Run(ctx)
	})
	r.run = func(outer context.Context) error {
		defer context.AfterFunc(outer, func() { cancel(outer.Err()) })()
		if _, ok := next(); !ok {
			if outer.Err() != nil {
				return outer.Err()
			}
			return cmp.Or(failed, errEnough)
		}
		return settled(ks)
	}
	r.close = func() { stop(); cancel(errEnough); giveBack(p) }
	return r, nil
}
