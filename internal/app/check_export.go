package app

import (
	"context"
	"fmt"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/parity"
	"github.com/seed-aefebe89/graft/internal/parity/exported"
)

// exported compares the logits of a LoRA delta, one exaggerated step away from its start, with those of onnxruntime for its exported files.
func (c *Check) exported(ctx context.Context, seqs []*graph.Sequence) error {
	p, err := c.lora()
	if err != nil {
		return err
	}
	if err := parity.Exaggerate(ctx, p, c.kernels, seqs); err != nil {
		return err
	}
	var labels []string
	for i := range checkClasses {
		labels = append(labels, fmt.Sprint("L", i))
	}
	d, err := exported.Parity(ctx, p, deltaOf(p, "check", labels), c.kernels, seqs, c.quantised)
	if err != nil {
		return err
	}
	v := valueOf("logits", d)
	c.Export = &v
	return nil
}

// neutral compares the slotted graph without a delta with the file itself, both in onnxruntime. Where a slot lies between
// nodes that its optimiser would have fused, or that it computes by another kernel, it rounds otherwise; so both graphs run
// without its optimisations too if they differ with them, and the smaller difference counts.
func (c *Check) neutral(ctx context.Context, batches []*checkBatch) error {
	slotted, err := export.NewSlotted(c.model, graph.Places(c.model.Encoder), export.SlotOptions{Activations: kernel.Activations()})
	if err != nil {
		return err
	}
	switch {
	case halves(c.model.File.Model):
		c.neutralTolerance = halfTolerance
	case slotted.Expanded > 0:
		c.neutralTolerance = expandedTolerance
	}
	for _, plain := range []bool{false, true} {
		v, err := c.apart(ctx, slotted.Model, batches, plain)
		if err != nil {
			return err
		}
		if c.Slotted == nil || v.MaxRel < c.Slotted.MaxRel {
			c.Slotted = v
		}
		if v.MaxRel <= c.neutralTolerance {
			break
		}
	}
	return nil
}

// apart tells the largest difference of a slotted graph's outputs from the file's in onnxruntime, with its optimisations or
// plainly without.
func (c *Check) apart(ctx context.Context, slotted *onnx.Model, batches []*checkBatch, plain bool) (*CheckValue, error) {
	base, err := c.openReference(c.model.File.Model, nil, nil, plain)
	if err != nil {
		return nil, err
	}
	defer base.session.Close()
	s, err := c.openReference(slotted, nil, nil, plain)
	if err != nil {
		return nil, fmt.Errorf("the slotted graph: %w", err)
	}
	defer s.session.Close()
	worst := &CheckValue{Name: "all outputs"}
	for _, b := range batches {
		want, err := base.run(ctx, b)
		if err != nil {
			return nil, err
		}
		got, err := s.run(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("the slotted graph: %w", err)
		}
		if worst, err = farther(worst, base.names, b, got, want); err != nil {
			return nil, fmt.Errorf("the slotted graph: %w", err)
		}
	}
	return worst, nil
}

// farther is worst, or the value of a batch that differs more from what it should be.
func farther(worst *CheckValue, names []string, b *checkBatch, got, want map[string]*fold.Array) (*CheckValue, error) {
	for _, name := range names {
		var d parity.Difference
		if got[name] == nil {
			return nil, fmt.Errorf("it has no output %q", name)
		}
		if err := b.padded(&d, got[name], want[name]); err != nil {
			return nil, fmt.Errorf("output %q: %w", name, err)
		}
		if v := valueOf(name, d); v.MaxRel > worst.MaxRel {
			worst = &v
		}
	}
	return worst, nil
}
