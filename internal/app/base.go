// Package app joins the rooms into graft's workflows: what the commands do, without the command line.
package app

import (
	"fmt"
	"runtime"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/tokenize"
)

// Base is a pretrained encoder with its tokenizer. Close it after use.
type Base struct {
	*importer.Model
	Tokenizer *tokenize.Tokenizer
	Places    []peft.Place

	digest *export.Digest
}

// OpenBase opens a model folder: the ONNX file and the tokenizer beside it.
func OpenBase(dir string) (*Base, error) {
	m, err := importer.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := graph.Builds(m); err != nil {
		m.Close()
		return nil, fmt.Errorf("importing %s: %w", m.Path, err)
	}
	t, err := tokenize.Load(m.Dir)
	if err != nil {
		m.Close()
		return nil, err
	}
	return &Base{Model: m, Tokenizer: t, Places: graph.Places(m.Encoder)}, nil
}

// Digest identifies the base by its content. It is computed once.
func (b *Base) Digest() (*export.Digest, error) {
	if b.digest == nil {
		d, err := export.DigestOf(b.File.Model)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.Path, err)
		}
		b.digest = d
	}
	return b.digest, nil
}

// MaxLength is the longest sequence in tokens that the encoder takes, 0 if it does not tell.
func (b *Base) MaxLength() int {
	n := b.Config.MaxPositionEmbeddings
	if n > 0 && b.Config.ModelType != "bert" && prefixedPositions[b.Config.ModelType] {
		n -= b.Config.PadTokenID + 1
	}
	return n
}

// prefixedPositions are the model types that count positions from behind the padding token's id.
var prefixedPositions = map[string]bool{"roberta": true, "xlm-roberta": true, "camembert": true, "xlm-roberta-xl": true, "mpnet": true}

// Threads makes kernels for n threads; 0 means one for each processor.
func Threads(n int) []kernel.Kernels {
	if n < 1 {
		n = runtime.NumCPU()
	}
	ks := make([]kernel.Kernels, n)
	for i := range ks {
		ks[i] = cpu.New()
	}
	return ks
}

// ReadDelta reads a delta for the base and refuses one that was made for another.
func (b *Base) ReadDelta(dir string) (*export.Delta, error) {
	d, err := export.ReadDelta(dir, b.Model, b.Places)
	if err != nil || d.Base == nil {
		return d, err
	}
	got, err := b.Digest()
	if err != nil {
		return nil, err
	}
	return d, d.Base.Check(d.Name, got)
}

// Params makes parameters with a delta's values.
func (b *Base) Params(d *export.Delta) (*graph.Params, error) {
	p, err := graph.NewParams(b.Model, d.Method, len(d.Labels), 0)
	if err != nil {
		return nil, err
	}
	return p, fill(p.Of(graph.Adapter, graph.Head), d)
}

// fill gives parameters a delta's values.
func fill(ps []*graph.Param, d *export.Delta) error {
	for _, q := range ps {
		t, err := d.Get(q.Name)
		if err != nil {
			return err
		}
		if len(t.Data) != len(q.Data) {
			return fmt.Errorf("the delta %q has %d elements for %q, want %d", d.Name, len(t.Data), q.Name, len(q.Data))
		}
		copy(q.Data, t.Data)
	}
	return nil
}

// deltaOf takes adapter and head out of parameters.
func deltaOf(p *graph.Params, name string, labels []string) *export.Delta {
	d := &export.Delta{Name: name, Method: p.Method, Labels: labels}
	for _, q := range p.Of(graph.Adapter, graph.Head) {
		d.Tensors = append(d.Tensors, export.Tensor{Name: q.Name, Shape: q.Shape, Data: q.Data})
	}
	return d
}

// setEngine sets how training trades memory, precision and time, and opens the device.
func setEngine(p *graph.Params, d Device, threads int, precision string, m graph.Memory, say func(string, ...any)) ([]kernel.Kernels, error) {
	if m.Unpacked && precision == kernel.PrecisionAuto {
		precision = kernel.Float32.String()
	}
	ks, prec, err := d.engine(threads, precision, say)
	if err != nil {
		return nil, err
	}
	if p.Precision = prec; m.Unpacked && p.Precision != kernel.Float32 {
		closeKernels(ks)
		return nil, fmt.Errorf("products in %v need packed copies of the weights: use --precision f32 with --low-memory", p.Precision)
	}
	p.Memory = m
	return ks, nil
}
