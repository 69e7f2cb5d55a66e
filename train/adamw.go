package train

import (
	"sync"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
)

// AdamW is the optimiser of Loshchilov and Hutter (2019) with PyTorch's defaults. It is dense: decay and momentum move
// every row of an embedding table at every step, also one that no token of the batch looked up, as in PyTorch. It stands in for gorgonia's solver of
// that name, which allocates several temporaries a parameter and takes no gradient that was summed over shards
// elsewhere; a test holds the two to each other.
type AdamW struct {
	Beta1, Beta2, Eps float64 // 0 means 0.9, 0.999 and 1e-8
	WeightDecay       float64

	params []*graph.Param
	m, v   *graph.Vector
	memory kernel.Memory // nil for the host's
	factor []float32     // what Clip computes, where the parameters are
	steps  int
}

// NewAdamW returns an optimiser of some parameters, which are trained where k computes.
func NewAdamW(k kernel.Kernels, params []*graph.Param, weightDecay float64) (*AdamW, error) {
	o := &AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: weightDecay, params: params, factor: []float32{1}}
	var err error
	if o.m, err = graph.NewVector(k, params); err != nil {
		return nil, err
	}
	if o.v, err = graph.NewVector(k, params); err != nil {
		return nil, err
	}
	if o.memory, _ = k.(kernel.Memory); o.memory != nil {
		if o.factor, err = o.memory.Alloc(1); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// Step takes one step with the gradients g times a factor that makes their norm, of all together, at most clip; a clip
// of 0 leaves them. There is one goroutine for each of ks.
func (o *AdamW) Step(ks []kernel.Kernels, g *graph.Vector, lr, clip float64) error {
	if err := graph.Settle(ks[0], o.params); err != nil {
		return err
	}
	o.steps++
	c := kernel.AdamW{LR: float32(lr), Beta1: float32(o.Beta1), Beta2: float32(o.Beta2), Eps: float32(o.Eps),
		WeightDecay: float32(o.WeightDecay), GradScale: 1, Step: o.steps}
	if clip > 0 {
		c.Clip = kernel.F32(o.factor, 1)
		ks[0].Clip(c.Clip, g.Flat(), float32(clip))
	}
	runs := graph.Runs(o.params, g, o.m, o.v)
	each(ks, len(runs), func(k kernel.Kernels, i int) {
		r := runs[i]
		k.AdamW(r.Values, r.Parts[0], r.Parts[1], r.Parts[2], c)
	})
	for _, p := range o.params {
		p.Moved()
	}
	return nil
}

// Descend takes one step of plain gradient descent, p = p − lr·g.
func Descend(k kernel.Kernels, g *graph.Vector, lr float64) error {
	if err := graph.Settle(k, g.Params); err != nil {
		return err
	}
	for _, r := range graph.Runs(g.Params, g) {
		k.AddScaled(r.Values, r.Parts[0], -float32(lr))
	}
	for _, p := range g.Params {
		p.Moved()
	}
	return nil
}

// Steps is the number of steps taken.
func (o *AdamW) Steps() int { return o.steps }

// Moments are the first and second moments of each parameter in the host's memory: what a checkpoint saves, and fills in
// before Resume.
func (o *AdamW) Moments() (m, v [][]float32, err error) {
	if m, err = o.m.Host(); err != nil {
		return nil, nil, err
	}
	v, err = o.v.Host()
	return m, v, err
}

// Resume takes over moments, and the number of steps taken.
func (o *AdamW) Resume(m, v [][]float32, steps int) {
	o.m.Load(m)
	o.v.Load(v)
	o.steps = steps
}

// Release gives back the memory of a device.
func (o *AdamW) Release() {
	o.m.Release()
	o.v.Release()
	if o.memory != nil {
		o.memory.Free(o.factor)
	}
}

// each calls f for 0 … n−1, dealt out to a goroutine for each of ks.
func each(ks []kernel.Kernels, n int, f func(k kernel.Kernels, i int)) {
	if len(ks) == 1 {
		for i := range n {
			f(ks[0], i)
		}
		return
	}
	var wg sync.WaitGroup
	for t, k := range ks {
		wg.Go(func() {
			for i := t; i < n; i += len(ks) {
				f(k, i)
			}
		})
	}
	wg.Wait()
}

// Linear is a learning rate that rises linearly over warmup steps and then falls linearly to zero at total: for step
// from 0 on.
func Linear(lr float64, step, warmup, total int) float64 {
	if step < warmup {
		return lr * float64(step+1) / float64(warmup+1)
	}
	if total <= warmup {
		return lr
	}
	return lr * float64(total-step) / float64(total-warmup)
}
