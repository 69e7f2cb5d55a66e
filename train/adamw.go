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
	m, v   [][]float32
	steps  int
}

// NewAdamW returns an optimiser of some parameters.
func NewAdamW(params []*graph.Param, weightDecay float64) *AdamW {
	o := &AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: weightDecay, params: params}
	for _, p := range params {
		o.m = append(o.m, make([]float32, p.Size()))
		o.v = append(o.v, make([]float32, p.Size()))
	}
	return o
}

// Step takes one step with the gradients times scale, one goroutine for each of ks.
func (o *AdamW) Step(ks []kernel.Kernels, grads [][]float32, lr, scale float64) {
	o.steps++
	c := kernel.AdamW{LR: float32(lr), Beta1: float32(o.Beta1), Beta2: float32(o.Beta2), Eps: float32(o.Eps),
		WeightDecay: float32(o.WeightDecay), GradScale: float32(scale), Step: o.steps}
	each(ks, len(o.params), func(k kernel.Kernels, i int) {
		p := o.params[i]
		k.AdamW(p.Vector(p.Data), p.Vector(grads[i]), p.Vector(o.m[i]), p.Vector(o.v[i]), c)
		p.Changed()
	})
}

// Steps is the number of steps taken.
func (o *AdamW) Steps() int { return o.steps }

// Resume sets the number of steps taken, after the moments were filled in.
func (o *AdamW) Resume(steps int) { o.steps = steps }

// Moments are the first and second moments of parameter i: what a checkpoint saves and fills in.
func (o *AdamW) Moments(i int) (m, v []float32) { return o.m[i], o.v[i] }

// each calls f for 0 … n−1, dealt out to a goroutine for each of ks.
func each(ks []kernel.Kernels, n int, f func(k kernel.Kernels, i int)) {
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

// Gradients collects the gradients of some parameters over several batches.
type Gradients struct {
	params []*graph.Param
	flat   []float32
	G      [][]float32 // parts of flat
}

// NewGradients returns gradients of zero.
func NewGradients(params []*graph.Param) *Gradients {
	g := &Gradients{params: params, flat: make([]float32, graph.Count(params))}
	at := 0
	for _, p := range params {
		g.G = append(g.G, g.flat[at:at+p.Size():at+p.Size()])
		at += p.Size()
	}
	return g
}

// Zero forgets what was collected.
func (g *Gradients) Zero() {
	clear(g.flat)
}

// Add adds the gradients of a session's last step, whose first parameters are these.
func (g *Gradients) Add(s *graph.Session) error {
	for i, x := range g.G {
		if err := s.Grad(i, x); err != nil {
			return err
		}
	}
	return nil
}

// Clip is what the gradients are multiplied by so that their norm, of all together, is at most limit; a limit of 0 clips
// nothing.
func (g *Gradients) Clip(k kernel.Kernels, limit float64) float64 {
	if limit <= 0 {
		return 1
	}
	factor := []float32{1}
	k.Clip(kernel.F32(factor, 1), kernel.F32(g.flat, len(g.flat)), float32(limit))
	return float64(factor[0])
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
