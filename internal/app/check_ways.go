package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/lower"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/parity"
)

// yardstick is the model that ours is held against: the file's, or that without quantised operators.
func (c *Check) yardstick() *onnx.Model {
	if c.quantised {
		return c.plain
	}
	return c.model.File.Model
}

// each runs every batch in onnxruntime and shows the values to compare.
func (c *Check) each(ctx context.Context, batches []*checkBatch, hidden []string,
	compare func(b *checkBatch, want map[string]*fold.Array) error) error {
	var types map[string]onnx.DataType
	if c.model.Encoder != nil {
		types = c.model.Types
	}
	r, err := c.openReference(c.yardstick(), hidden, types, false)
	if err != nil {
		return err
	}
	defer r.session.Close()
	var file *reference
	if c.quantised {
		if file, err = c.openReference(c.model.File.Model, nil, nil, false); err != nil {
			return err
		}
		defer file.session.Close()
	}
	var drift tally
	for _, b := range batches {
		want, err := r.run(ctx, b)
		if err != nil {
			return err
		}
		if err := compare(b, want); err != nil {
			return err
		}
		if file == nil {
			continue
		}
		rounded, err := file.run(ctx, b)
		if err != nil {
			return err
		}
		for _, name := range file.names {
			if err := b.padded(drift.at(name), want[name], rounded[name]); err != nil {
				return fmt.Errorf("output %q: %w", name, err)
			}
		}
	}
	if file != nil {
		c.Drift = drift.values()
	}
	return nil
}

// fused compares the recognised encoder on packed tokens, output by output and layer by layer.
func (c *Check) fused(ctx context.Context) error {
	batches, err := c.batches()
	if err != nil {
		return err
	}
	p, err := graph.NewParams(c.model, nil, 0, 1)
	if err != nil {
		return err
	}
	probe := graph.NewProbe(p, c.kernels)
	var hidden []string
	for _, v := range c.model.Hidden {
		hidden = append(hidden, c.model.Ops[v].Where().Output)
	}
	var others []string
	for _, o := range c.plain.Graph.Outputs {
		if !slices.ContainsFunc(c.model.Outputs, func(r importer.Output) bool { return r.Name == o.Name }) {
			others = append(others, o.Name)
		}
	}
	var further *importer.Nodewise
	if len(others) > 0 {
		if _, err = nodewiseRuns(c.model, others...); err == nil {
			further, err = importer.NewNodewise(c.model.File.Model)
		}
		if err != nil {
			c.Reason = fmt.Sprintf("the outputs %s are no part of the encoder, and were not compared: %v", strings.Join(others, ", "), err)
		}
	}
	var outputs, layers tally
	err = c.each(ctx, batches, hidden, func(b *checkBatch, want map[string]*fold.Array) error {
		got, err := probe.Probe(ctx, b.seqs)
		if err != nil {
			return err
		}
		for _, o := range c.model.Outputs {
			if err := b.packed(outputs.at(o.Name), got.Outputs[o.Name], want[o.Name], o.Pooled); err != nil {
				return fmt.Errorf("output %q: %w", o.Name, err)
			}
		}
		if further != nil {
			if _, err := c.padded(ctx, further, b, &outputs, want, others); err != nil {
				return err
			}
		}
		for i, name := range hidden {
			if want[name] == nil {
				continue
			}
			label := "embeddings"
			if i > 0 {
				label = fmt.Sprintf("layer %d", i-1)
			}
			if err := b.packed(layers.at(label), got.Hidden[i], want[name], false); err != nil {
				return fmt.Errorf("the value %q: %w", name, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.Outputs, c.Layers = outputs.values(), layers.values()
	return c.step(ctx, batches)
}

// nodewise compares the graph as it runs node by node, on the padded batch.
func (c *Check) nodewise(ctx context.Context) error {
	if c.options.Export && c.model.Encoder == nil {
		return errors.New("it cannot be trained, so that there is no delta to export")
	}
	batches, err := c.batches()
	if err != nil {
		return err
	}
	n, err := importer.NewNodewise(c.model.File.Model)
	if err != nil {
		return err
	}
	var names []string
	for _, o := range c.plain.Graph.Outputs {
		names = append(names, o.Name)
	}
	if len(names) == 0 {
		return errors.New("the model has no output")
	}
	for _, b := range batches { // before onnxruntime is asked, which would take the memory
		if _, err := builds(n, b, names...); err != nil {
			return err
		}
	}
	var outputs tally
	var last *lower.Session
	err = c.each(ctx, batches, nil, func(b *checkBatch, want map[string]*fold.Array) (err error) {
		last, err = c.padded(ctx, n, b, &outputs, want, names)
		return err
	})
	if err != nil {
		return err
	}
	c.Outputs = outputs.values()
	if c.model.Encoder != nil {
		return c.step(ctx, batches)
	}
	if c.options.Gradients {
		if err := c.outputGradient(ctx, n, last); err != nil {
			return fmt.Errorf("checking gradients: %w", err)
		}
	}
	return nil
}

// padded compares outputs as they run node by node, on a padded batch, and returns the session that ran them.
func (c *Check) padded(ctx context.Context, n *importer.Nodewise, b *checkBatch, to *tally,
	want map[string]*fold.Array, names []string) (*lower.Session, error) {
	s, err := lower.NewSession(n, c.kernels[0], b.inputs, names...)
	if err != nil {
		return nil, err
	}
	got, err := s.Run(ctx, b.inputs)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if err := b.padded(to.at(name), got[i], want[name]); err != nil {
			return nil, fmt.Errorf("output %q: %w", name, err)
		}
	}
	return s, nil
}

// packed compares the real tokens' rows of each sequence, or its one row if pooled is set.
func (b *checkBatch) packed(d *parity.Difference, got [][]float32, want *fold.Array, pooled bool) error {
	rows := b.length
	if pooled {
		rows = 1
	}
	if want == nil || want.Size()%(len(b.seqs)*rows) != 0 {
		return fmt.Errorf("onnxruntime gives %v for %d sequences of %d tokens", want, len(b.seqs), b.length)
	}
	stride := want.Size() / len(b.seqs)
	for i, x := range got {
		if len(x) > stride {
			return fmt.Errorf("onnxruntime gives %v, graft %d numbers for a sequence", want, len(x))
		}
		for k, v := range x {
			d.Add(float64(v), want.At(i*stride+k))
		}
	}
	return nil
}

// padded compares all elements.
func (b *checkBatch) padded(d *parity.Difference, got, want *fold.Array) error {
	if want == nil || !got.Known() || !slices.Equal(got.Shape, want.Shape) {
		return fmt.Errorf("onnxruntime gives %v, graft %v", want, got)
	}
	for i := range want.Size() {
		d.Add(got.At(i), want.At(i))
	}
	return nil
}

// nodewiseRuns tells how a model's outputs, all or some, run node by node, or why they do not, without running them.
func nodewiseRuns(m *importer.Model, outputs ...string) (*importer.Program, error) {
	c := &Check{model: m}
	var err error
	if c.plain, err = importer.Dequantised(m.File.Model); err != nil {
		return nil, err
	}
	batches, err := c.batches()
	if err != nil {
		return nil, err
	}
	n, err := importer.NewNodewise(m.File.Model)
	if err != nil {
		return nil, err
	}
	return builds(n, batches[0], outputs...)
}

// maxComputed bounds the numbers that a network computes for a batch: those of a batch to try on a large encoder are some
// ten million.
const maxComputed = 1 << 28

// builds tells how outputs of a network run for a batch, or why they do not, without running them.
func builds(n *importer.Nodewise, b *checkBatch, outputs ...string) (*importer.Program, error) {
	p, err := n.Program(b.inputs, outputs...)
	if err != nil {
		return nil, err
	}
	if err := p.Bound(maxComputed); err != nil {
		return nil, err
	}
	g, leaves := G.NewGraph(), map[*importer.Weight]*G.Node{}
	_, err = lower.Build(g, p, func(w *importer.Weight) (*G.Node, error) {
		if leaves[w] == nil {
			leaves[w] = G.NewTensor(g, tensor.Float32, len(w.Shape), G.WithShape(w.Shape...), G.WithName(w.Name))
		}
		return leaves[w], nil
	}, nil, kernel.Float32)
	return p, err
}
