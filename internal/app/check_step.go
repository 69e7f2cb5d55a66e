package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/lower"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/parity"
)

// step checks a step of LoRA, as far as the options ask for it.
func (c *Check) step(ctx context.Context, batches []*checkBatch) error {
	seqs := batches[0].seqs
	if c.options.Gradients {
		if err := c.loraGradients(ctx, seqs); err != nil {
			return fmt.Errorf("checking gradients: %w", err)
		}
	}
	if c.options.Export {
		if err := c.exported(ctx, seqs); err != nil {
			return fmt.Errorf("checking the export: %w", err)
		}
		if err := c.neutral(ctx, batches); err != nil {
			return fmt.Errorf("checking the slotted graph without a delta: %w", err)
		}
	}
	return nil
}

// lora makes the parameters of a LoRA adapter on queries and values, or wherever it may sit where those are not known, with a
// head.
func (c *Check) lora() (*graph.Params, error) {
	b := &Base{Model: c.model, Places: graph.Places(c.model.Encoder)}
	method := peft.LoRA{R: 4, Alpha: 9, Targets: b.queryValue()}
	if len(method.Targets) == 0 {
		method.Targets = peft.Projections(b.Places)
	}
	if err := method.Check(b.Places); err != nil {
		return nil, err
	}
	return graph.NewParams(c.model, method, checkClasses, c.options.Seed)
}

// loraGradients holds the gradient of each parameter of a LoRA adapter and a head against finite differences, which move
// the loss by about 0.02, and tells the one that differs most.
func (c *Check) loraGradients(ctx context.Context, seqs []*graph.Sequence) error {
	p, err := c.lora()
	if err != nil {
		return err
	}
	parity.Shake(p, 0.05) // a little: a saturated attention is flat
	train := p.Of(graph.Adapter, graph.Head)
	s := graph.NewTrainer(p, c.kernels, train)
	loss := func() (float64, error) {
		if err := s.Update(); err != nil {
			return 0, err
		}
		return s.Step(ctx, seqs, graph.MeanWeight(seqs))
	}
	if _, err := loss(); err != nil {
		return err
	}
	grads := make([][]float32, len(train))
	for i, q := range train {
		grads[i] = make([]float32, q.Size())
		if err := s.Grad(i, grads[i]); err != nil {
			return err
		}
	}
	for i, q := range train {
		rel, norm, ok, err := parity.Slope(q.Data, grads[i], 0.01, loss)
		if err != nil {
			return err
		}
		if ok {
			c.gradient(q.Name, rel, norm)
		}
	}
	if c.Gradients == nil {
		return errors.New("no parameter has a gradient")
	}
	return nil
}

// gradient keeps the one that differs most.
func (c *Check) gradient(name string, rel, norm float64) {
	if c.Gradients == nil || !(rel <= c.Gradients.MaxRel) {
		v := valueOf(name, parity.Difference{Abs: rel * norm, Top: norm})
		c.Gradients = &v
	}
}

// outputGradient holds the gradient of a random sum of the outputs with respect to a weight matrix, the last one that
// they depend on, against finite differences.
func (c *Check) outputGradient(ctx context.Context, n *importer.Nodewise, s *lower.Session) error {
	r := rand.New(rand.NewPCG(c.options.Seed, 7))
	var ys, seeds G.Nodes
	for _, y := range s.Outputs {
		if y == nil {
			continue
		}
		seed := G.NewTensor(y.Graph(), tensor.Float32, 1, G.WithShape(y.Shape()...), G.WithName("seed of "+y.Name()))
		x := make([]float32, y.Shape()[0])
		for i := range x { // so that the sum is of the size of one element
			x[i] = float32(r.NormFloat64() / math.Sqrt(float64(len(x))))
		}
		s.Set(seed, kernel.F32(x, len(x)))
		ys, seeds = append(ys, y), append(seeds, seed)
	}
	value := func() (sum float64, err error) {
		values, err := s.Values(ctx, ys...)
		for i, v := range values {
			for k, x := range v {
				sum += float64(x) * float64(s.Data(seeds[i]).F32[k])
			}
		}
		return sum, err
	}
	for _, w := range slices.Backward(n.Weights) {
		leaf := s.Weights[w]
		if leaf == nil || len(w.Shape) != 2 || len(ys) == 0 {
			continue
		}
		grads, err := op.Grad(ys, seeds, G.Nodes{leaf})
		if err != nil {
			continue // the outputs do not depend on it
		}
		g, err := s.Values(ctx, grads...)
		if err != nil {
			return err
		}
		file := s.Data(leaf)
		data := slices.Clone(file.F32) // the file's own is not written to
		s.Set(leaf, kernel.F32(data, w.Shape...))
		at, err := value()
		if err != nil {
			return err
		}
		rel, norm, ok, err := parity.Slope(data, g[0], 0.01*max(math.Abs(at), 1), value)
		s.Set(leaf, file)
		if err != nil {
			return err
		}
		if ok {
			c.gradient(w.Name, rel, norm)
			return nil
		}
	}
	return errors.New("no weight matrix has a gradient")
}
