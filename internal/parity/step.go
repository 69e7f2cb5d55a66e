package parity

import (
	"context"
	"math/rand/v2"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Exaggerate moves every trained parameter of p by random numbers and then by a step along the gradient that is far
// larger than training takes, so that an adapter which starts as nothing changes the results everywhere.
func Exaggerate(ctx context.Context, p *graph.Params, ks []kernel.Kernels, seqs []*graph.Sequence) error {
	r := rand.New(rand.NewPCG(9, 9))
	train := p.Of(graph.Adapter, graph.Head)
	for _, q := range train {
		for i := range q.Data {
			q.Data[i] += float32(0.3 * r.NormFloat64())
		}
	}
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
