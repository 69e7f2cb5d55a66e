package parity

import (
	"context"
	"math/rand/v2"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Shake moves every parameter of p's adapter and head by random numbers of a standard deviation: an adapter starts as
// nothing, where half of its gradients are zero.
func Shake(p *graph.Params, deviation float64) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, q := range p.Of(graph.Adapter, graph.Head) {
		for i := range q.Data {
			q.Data[i] += float32(deviation * r.NormFloat64())
		}
	}
}

// Exaggerate moves every trained parameter of p by random numbers and then by a step along the gradient that is far
// larger than training takes, so that an adapter which starts as nothing changes the results everywhere.
func Exaggerate(ctx context.Context, p *graph.Params, ks []kernel.Kernels, seqs []*graph.Sequence) error {
	Shake(p, 0.3)
	train := p.Of(graph.Adapter, graph.Head)
	s := graph.NewTrainer(p, ks, train)
	if _, err := s.Step(ctx, seqs, graph.MeanWeight(seqs)); err != nil {
		return err
	}
	for i, q := range train {
		g := make([]float32, q.Size())
		if err := s.Grad(i, g); err != nil {
			return err
		}
		for k := range g {
			q.Data[k] -= 0.5 * g[k]
		}
	}
	return nil
}
