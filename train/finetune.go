package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/progress"
)

// Settings are those of fine-tuning. Numbers that are zero mean what is said.
type Settings struct {
	Epochs      int       `json:"epochs"`       // at most; 15
	Batch       int       `json:"batch"`        // sentences a step; 32
	LRs         []float64 `json:"lr"`           // learning rates to try, the one that is best on dev is kept; 1e-3
	Warmup      float64   `json:"warmup"`       // share of the steps in which the rate rises
	WeightDecay float64   `json:"weight_decay"` //
	Clip        float64   `json:"clip"`         // largest norm of the gradients; 0 clips nothing
	Patience    int       `json:"patience"`     // epochs without a better dev score before a rate is given up; 0: never
	Seed        uint64    `json:"seed"`
	Base        bool      `json:"base"` // train the encoder too, its embedding tables excepted
}

// defaults fills in what is zero.
func (s *Settings) defaults() {
	if s.Epochs == 0 {
		s.Epochs = 15
	}
	if s.Batch == 0 {
		s.Batch = 32
	}
	if len(s.LRs) == 0 {
		s.LRs = []float64{1e-3}
	}
}

// FineTune trains an adapter and a head on labelled examples. The epoch that is best on dev is kept.
type FineTune struct {
	Settings
	Params  *graph.Params
	Encoder *Encoder
	Train   []*Example
	Dev     []*Example
	Kernels []kernel.Kernels // one a thread

	// FeatureBytes bounds the memory for hidden states that are computed once because nothing below them is trained;
	// beyond it every step runs the encoder. 0 means 2 GiB.
	FeatureBytes int64
	// Checkpoint is the file that the state is kept in, none if empty. A run that finds its state there goes on from it.
	Checkpoint string
	// Every is how often the state is saved between epochs. 0 means a minute.
	Every    time.Duration
	Progress *progress.Reporter

	session *graph.Session
	tagger  *Tagger
	params  []*graph.Param
	state   state
	start   [][]float32 // the parameters' starting values
	best    [][]float32
	opt     *AdamW
	grads   *graph.Vector
	saved   time.Time
}

// Result is what fine-tuning came to.
type Result struct {
	LR         float64 `json:"lr"`    // the rate that was kept
	Epoch      int     `json:"epoch"` // the epoch that was kept, from 1
	DevF1      float64 `json:"dev_f1"`
	Trainable  int     `json:"trainable"` // elements
	Trials     []Trial `json:"trials"`
	Steps      int     `json:"steps"`
	OnFeatures bool    `json:"on_features"` // the hidden states were computed once
}

// Trial is the best that one learning rate came to.
type Trial struct {
	LR    float64 `json:"lr"`
	Epoch int     `json:"epoch"`
	DevF1 float64 `json:"dev_f1"`
}

// check fills in what is zero, and returns an error where there is nothing to train on or to choose by.
func (f *FineTune) check() error {
	f.defaults()
	if graph.MeanWeight(sequences(f.Train)) == 0 {
		return errors.New("there is nothing to train on: no sentence has a labelled word")
	}
	if len(f.Dev) == 0 {
		return errors.New("there is no dev sentence to choose the best epoch by")
	}
	return nil
}

// Run trains until the last epoch of the last learning rate and leaves the parameters at their best. When ctx ends it
// saves its state and returns the context's error.
func (f *FineTune) Run(ctx context.Context) (*Result, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	defer f.release()
	onFeatures, err := f.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if err := f.resume(); err != nil {
		return nil, err
	}
	for f.state.Trial < len(f.LRs) {
		if err := f.trial(ctx); err != nil {
			return nil, err
		}
	}
	graph.Restore(f.params, f.best)
	b := f.state.Best
	return &Result{LR: b.LR, Epoch: b.Epoch, DevF1: b.DevF1, Trainable: graph.Count(f.params), Trials: f.state.Trials,
		Steps: f.state.Steps, OnFeatures: onFeatures}, nil
}

// trial trains with one learning rate, from where the state stands.
func (f *FineTune) trial(ctx context.Context) error {
	st := &f.state
	lr := f.LRs[st.Trial]
	steps := (len(f.Train) + f.Batch - 1) / f.Batch
	for ; st.Epoch < f.Epochs && (f.Patience == 0 || st.Worse < f.Patience); st.Epoch++ {
		bar := f.Progress.Start(fmt.Sprintf("lr %g epoch %d/%d", lr, st.Epoch+1, f.Epochs), steps)
		bar.Add(st.Step, "")
		err := f.epoch(ctx, bar, lr, steps)
		var f1 float64
		if err == nil {
			f1, err = f.score(ctx, lr)
		}
		if err != nil {
			bar.Done()
			if ctx.Err() != nil {
				return f.interrupted(ctx.Err())
			}
			return err
		}
		bar.Add(0, fmt.Sprintf("loss %.3f dev F1 %.1f", st.Loss/float64(steps), 100*f1))
		bar.Done()
		st.Step, st.Loss = 0, 0
		st.Epoch++
		err = f.save()
		st.Epoch--
		if err != nil {
			return err
		}
	}
	if err := f.nextTrial(); err != nil {
		return err
	}
	return f.save()
}

// epoch takes the steps of an epoch that are left.
func (f *FineTune) epoch(ctx context.Context, bar *progress.Bar, lr float64, steps int) (err error) {
	st := &f.state
	order, total := f.order(st.Epoch), f.Epochs*steps
	warmup := int(f.Warmup * float64(total))
	sum := losses{late: onDevice(f.Kernels)}
	defer func() {
		rest, late := sum.rest()
		if st.Loss += rest; err == nil {
			err = late
		}
	}()
	for ; st.Step < steps; st.Step++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		loss, err := f.step(ctx, f.batch(order, st.Step), Linear(lr, st.Epoch*steps+st.Step, warmup, total))
		if err != nil {
			return err
		}
		known, err := sum.next(loss)
		if err != nil {
			return err
		}
		st.Loss += known
		st.Steps++
		text := ""
		if n := st.Step + 1 - sum.open(); n > 0 {
			text = fmt.Sprintf("loss %.3f", st.Loss/float64(n))
		}
		bar.Add(1, text)
		if f.due() && st.Step+1 < steps {
			rest, err := sum.rest()
			if err != nil {
				return err
			}
			st.Loss += rest
			st.Step++
			err = f.save()
			st.Step--
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// score evaluates the epoch on dev.
func (f *FineTune) score(ctx context.Context, lr float64) (f1 float64, err error) {
	report, _, err := f.tagger.Evaluate(ctx, f.Dev, nil)
	if err != nil {
		return 0, err
	}
	return report.Micro.F1, f.epochDone(lr, report.Micro.F1)
}

// step computes the mean loss of some examples and its gradients, and moves the parameters. What it returns waits for
// the loss.
func (f *FineTune) step(ctx context.Context, xs []*Example, lr float64) (loss func() (float64, error), err error) {
	seqs := sequences(xs)
	w := graph.MeanWeight(seqs)
	if w == 0 {
		return func() (float64, error) { return 0, nil }, nil
	}
	f.grads.Zero()
	if loss, err = f.session.Start(ctx, seqs, w); err != nil {
		return nil, err
	}
	return loss, f.opt.Step(f.Kernels, f.grads, lr, f.Clip)
}

// epochDone notes an epoch's score and keeps the parameters if it is the best so far.
func (f *FineTune) epochDone(lr, f1 float64) (err error) {
	st := &f.state
	t := Trial{lr, st.Epoch + 1, f1}
	st.Worse++
	if len(st.Trials) == st.Trial {
		st.Trials = append(st.Trials, t)
		st.Worse = 0
	} else if f1 > st.Trials[st.Trial].DevF1 {
		st.Trials[st.Trial] = t
		st.Worse = 0
	}
	if st.Best.Epoch == 0 || f1 > st.Best.DevF1 {
		st.Best = t
		f.best, err = graph.Snapshot(f.params)
	}
	return err
}

// nextTrial begins the next learning rate from the starting values.
func (f *FineTune) nextTrial() (err error) {
	f.state.Trial++
	f.state.Epoch, f.state.Step, f.state.Worse = 0, 0, 0
	graph.Restore(f.params, f.start)
	f.opt.Release()
	f.opt, err = NewAdamW(f.Kernels[0], f.params, f.WeightDecay)
	return err
}

// release gives back the memory of a device that training took; the parameters stay there.
func (f *FineTune) release() {
	if f.opt != nil {
		f.opt.Release()
	}
	if f.grads != nil {
		f.grads.Release()
	}
	f.session.Release()
	f.tagger.session.Release()
}
