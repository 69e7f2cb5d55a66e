package lower

import (
	"context"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Session is a network with its weights, for batches of one shape.
type Session struct {
	*Network
	Program *importer.Program
	Weights map[*importer.Weight]*G.Node // those that the outputs need

	kernels kernel.Kernels
	host    map[string]*fold.Array // of the batch that was fed
	data    map[*G.Node]kernel.Tensor
}

// NewSession builds the network for inputs of the types and shapes of arrays, and for those outputs; none stands for all.
func NewSession(n *importer.Nodewise, k kernel.Kernels, inputs map[string]*fold.Array, outputs ...string) (*Session, error) {
	s := &Session{Weights: map[*importer.Weight]*G.Node{}, kernels: k, data: map[*G.Node]kernel.Tensor{}}
	var err error
	if s.Program, err = n.Program(inputs, outputs...); err != nil {
		return nil, err
	}
	g := G.NewGraph()
	s.Network, err = Build(g, s.Program, func(w *importer.Weight) (*G.Node, error) {
		if leaf := s.Weights[w]; leaf != nil {
			return leaf, nil
		}
		x, err := w.Float32s()
		if err != nil {
			return nil, fmt.Errorf("the weight %q: %w", w.Name, err)
		}
		leaf := G.NewTensor(g, tensor.Float32, len(w.Shape), G.WithShape(w.Shape...), G.WithName(w.Name))
		s.Weights[w], s.data[leaf] = leaf, kernel.F32(x, w.Shape...)
		return leaf, nil
	}, nil, kernel.Float32)
	return s, err
}

// Feed gives the network a batch.
func (s *Session) Feed(inputs map[string]*fold.Array) (err error) {
	if s.host, err = s.Program.Host(inputs); err != nil {
		return err
	}
	for _, l := range s.Leaves {
		if s.data[l.Node], err = l.Value(s.host); err != nil {
			return err
		}
	}
	for i, in := range s.Program.Inputs {
		a := inputs[in.Name]
		if a == nil || len(a.Floats) != in.Array.Size() {
			return fmt.Errorf("the input %q is %v, want %v", in.Name, a, in.Array)
		}
		x := make([]float32, len(a.Floats))
		for k, v := range a.Floats {
			x[k] = float32(v)
		}
		s.data[s.Inputs[i]] = kernel.F32(x, len(x))
	}
	return nil
}

// Data is what a leaf holds; Set gives it other numbers.
func (s *Session) Data(leaf *G.Node) kernel.Tensor { return s.data[leaf] }

// Set gives a leaf, such as a weight or the seed of a gradient, its numbers.
func (s *Session) Set(leaf *G.Node, x kernel.Tensor) { s.data[leaf] = x }

// Values computes nodes of the network's graph, of what was fed.
func (s *Session) Values(ctx context.Context, roots ...*G.Node) ([][]float32, error) {
	if len(roots) == 0 {
		return nil, nil
	}
	p, err := exec.NewPlan(roots...)
	if err != nil {
		return nil, err
	}
	e, err := p.New(s.kernels)
	if err != nil {
		return nil, err
	}
	defer e.Release()
	for _, l := range p.Leaves() {
		x, ok := s.data[l]
		if !ok {
			return nil, fmt.Errorf("%q was not fed", l.Name())
		}
		if err := e.Feed(l, x); err != nil {
			return nil, err
		}
	}
	if err := e.Run(ctx); err != nil {
		return nil, err
	}
	out := make([][]float32, len(roots))
	for i, r := range roots {
		v, err := e.Value(r)
		if err != nil {
			return nil, err
		}
		if out[i], err = exec.Host(s.kernels, v.F32); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Run computes the program's outputs, those of the host among them, for a batch. What the network computes is Float
// whatever the file's type is, and what it computes of other types are whole numbers of Float.
func (s *Session) Run(ctx context.Context, inputs map[string]*fold.Array) ([]*fold.Array, error) {
	if err := s.Feed(inputs); err != nil {
		return nil, err
	}
	var roots []*G.Node
	for _, r := range s.Outputs {
		if r != nil {
			roots = append(roots, r)
		}
	}
	values, err := s.Values(ctx, roots...)
	if err != nil {
		return nil, err
	}
	var out []*fold.Array
	for i, o := range s.Program.Outputs {
		a := o.Array
		switch {
		case s.Outputs[i] != nil:
			a = &fold.Array{Type: onnx.Float, Shape: o.Array.Shape}
			for _, v := range values[0] {
				a.Floats = append(a.Floats, float64(v))
			}
			values = values[1:]
		case o.Source == importer.Host:
			a = s.host[o.Name]
		}
		out = append(out, a)
	}
	return out, nil
}
