package app

import (
	"context"
	"fmt"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/importer/fold"
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

// neutral compares the slotted graph without a delta with the file itself, both in onnxruntime without its optimisations: they
// fuse otherwise where a slot lies between, and round otherwise.
func (c *Check) neutral(ctx context.Context, batches []*checkBatch) error {
	places := graph.Places(c.model.Encoder)
	slotted, err := export.NewSlotted(c.model, places, export.SlotOptions{Activations: kernel.Activations()})
	if err != nil {
		return err
	}
	base, err := c.openReference(c.model.File.Model, nil, nil, true)
	if err != nil {
		return err
	}
	defer base.session.Close()
	s, err := c.openReference(slotted.Model, nil, nil, true)
	if err != nil {
		return fmt.Errorf("the slotted graph: %w", err)
	}
	defer s.session.Close()
	switch {
	case halves(c.model.File.Model):
		c.neutralTolerance = halfTolerance
	case slotted.Expanded > 0:
		c.neutralTolerance = expandedTolerance
	}
	worst := &CheckValue{Name: "all outputs"}
	for _, b := range batches {
		want, err := base.run(ctx, b)
		if err != nil {
			return err
		}
		got, err := s.run(ctx, b)
		if err != nil {
			return fmt.Errorf("the slotted graph: %w", err)
		}
		if worst, err = farther(worst, base.names, b, got, want); err != nil {
			return fmt.Errorf("the slotted graph: %w", err)
		}
	}
	c.Slotted = worst
	return nil
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
