package lower

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// unary applies a function of one argument.
func unary(f func(x *G.Node) (*G.Node, error)) rule {
	return func(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
		x, err := b.elements(in[0])
		if err != nil {
			return nil, err
		}
		y, err := f(x)
		return []*G.Node{y}, err
	}
}

func mapped(f kernel.Function) rule {
	return unary(func(x *G.Node) (*G.Node, error) { return op.Map(x, f) })
}

// activated applies an activation.
func activated(f kernel.Activation) rule {
	return func(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
		x, err := b.elements(in[0])
		if err != nil {
			return nil, err
		}
		if len(in) > 1 && in[1] != nil { // the bias of com.microsoft's variants
			bias, err := b.broadcast(in[1], in[0].Shape)
			if err != nil {
				return nil, err
			}
			if x, err = op.Add(x, bias); err != nil {
				return nil, err
			}
		}
		y, err := op.Activate(x, f)
		return []*G.Node{y}, err
	}
}

func negated(x *G.Node) (*G.Node, error) { return op.Scale(x, -1) }

// gelu is Gelu by its attribute.
func gelu(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	f := kernel.GELU
	if a := s.Node.Attribute("approximate"); a != nil && string(a.S) == "tanh" {
		f = kernel.GELUTanh
	}
	return activated(f)(b, s, in)
}

// quickGelu is x·σ(αx).
func quickGelu(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	alpha := float32(1.702)
	if a := s.Node.Attribute("alpha"); a != nil {
		alpha = a.F
	}
	x, err := b.elements(in[0])
	if err != nil {
		return nil, err
	}
	y, err := op.Scale(x, alpha)
	if err == nil {
		y, err = op.Map(y, kernel.Sigmoid)
	}
	if err == nil {
		y, err = op.Mul(x, y)
	}
	return []*G.Node{y}, err
}

// folded applies a function of two arguments to all inputs from the left, each repeated to the output's shape.
func folded(f func(a, b *G.Node) (*G.Node, error)) rule {
	return func(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
		var acc *G.Node
		for i, v := range in {
			x, err := b.broadcast(v, s.Out[0].Array.Shape)
			if err == nil && i > 0 {
				x, err = f(acc, x)
			}
			if err != nil {
				return nil, err
			}
			acc = x
		}
		return []*G.Node{acc}, nil
	}
}

// clipped is Clip: min(max(x, low), high), with either bound an attribute or an input, or left out.
func clipped(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	x, err := b.elements(in[0])
	for i, bound := range []struct {
		name string
		f    kernel.Pair
	}{{"min", kernel.Max}, {"max", kernel.Min}} {
		var v *value
		if a := s.Node.Attribute(bound.name); a != nil && s.Opset < 11 {
			v = &value{Array: fold.Unknown(onnx.Float), node: b.constants(bound.name, a.F)}
		} else if i+1 < len(in) {
			v = in[i+1]
		}
		if err != nil || v == nil {
			continue
		}
		var y *G.Node
		if y, err = b.broadcast(v, in[0].Shape); err == nil {
			x, err = op.Combine(x, y, bound.f)
		}
	}
	return []*G.Node{x}, err
}

func combined(f kernel.Pair) rule {
	return folded(func(a, b *G.Node) (*G.Node, error) { return op.Combine(a, b, f) })
}

// ofFloats refuses a result of integers, of which the rule would make something else.
func ofFloats(r rule) rule {
	return func(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
		if a := s.Out[0].Array; !isFloat(a.Type) {
			return nil, fmt.Errorf("it gives %v, computed from weights or floating-point inputs: graft has no arithmetic of "+
				"integers there", a)
		}
		return r(b, s, in)
	}
}

func subtracted(x, y *G.Node) (*G.Node, error) {
	minus, err := negated(y)
	if err != nil {
		return nil, err
	}
	return op.Add(x, minus)
}

// chosen is Where.
func chosen(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	var x [3]*G.Node
	for i, v := range in {
		var err error
		if x[i], err = b.broadcast(v, s.Out[0].Array.Shape); err != nil {
			return nil, err
		}
	}
	y, err := op.Select(x[0], x[1], x[2])
	return []*G.Node{y}, err
}

// cast is Cast and CastLike: rounded towards zero to integers, compared with zero to booleans. Narrower floats are
// float32 here.
func cast(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	x, err := b.elements(in[0])
	if err != nil {
		return nil, err
	}
	from, to := in[0].Type, s.Out[0].Array.Type
	switch {
	case to == onnx.Bool && from != onnx.Bool:
		if x, err = op.Map(x, kernel.Not); err == nil {
			x, err = op.Map(x, kernel.Not)
		}
	case isFloat(from) && !isFloat(to):
		x, err = op.Map(x, kernel.Trunc)
	}
	return []*G.Node{x}, err
}
