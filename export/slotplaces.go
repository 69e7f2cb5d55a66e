package export

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// lora adds a slot to a linear map, before its bias: x·W + (x·A)·B.
func (s *slotter) lora(l importer.Projection) {
	a, b := loraSlots(l.Module)
	rank := "r:" + l.Module
	s.slot(a, rank, int64(l.In), -1)
	s.slot(b, rank, -1, int64(l.Out))
	base, at := s.divert(l.Product)
	p := l.Product + "/graft/"
	u := s.add(at, "MatMul", p+"down", s.float(at, l.Input, p+"input"), a)
	up := s.as(at, l.Product, s.add(at, "MatMul", p+"up", u, b), p+"up")
	s.add(at, "Add", l.Product, base, up)
}

// float is a value of the base as float32, which slots are, for a base that computes in another precision.
func (s *slotter) float(at *onnx.Node, value, scope string) string {
	return s.floatOf(at, value, value, scope)
}

// floatOf is float for what was made under a value's name.
func (s *slotter) floatOf(at *onnx.Node, value, made, scope string) string {
	if s.m.Types[value] == onnx.Undefined {
		return made
	}
	return s.cast(at, made, onnx.Float, scope)
}

// as is a float32 value in the precision of one of the base's.
func (s *slotter) as(at *onnx.Node, value, x, scope string) string {
	if t := s.m.Types[value]; t != onnx.Undefined {
		return s.cast(at, x, t, scope)
	}
	return x
}

func (s *slotter) cast(at *onnx.Node, x string, to onnx.DataType, scope string) string {
	if at == nil {
		return x
	}
	out := scope + "/" + to.String()
	s.after[at] = append(s.after[at], &onnx.Node{OpType: "Cast", Name: out, Inputs: []string{x}, Outputs: []string{out},
		Attributes: []*onnx.Attribute{{Name: "to", Type: onnx.AttrInt, I: int64(to)}}})
	return out
}

// layers adds the slots of a place at a layer's output: LN(h + adapter(LN(h + r)) + r). The nodes of the normalisation
// stand twice, once for each.
func (s *slotter) layers(p peft.Place, fs []kernel.Activation) error {
	if s.m.Padded != nil {
		for _, end := range s.m.Padded.Ends {
			if end.Module == p.Name {
				s.end(end.Value, p, fs)
			}
		}
		return nil
	}
	for i, l := range s.m.Layers {
		if l.Output == importer.None || s.m.OutputModule(l) != p.Name { // layers that share their weights share a place
			continue
		}
		if l.NormFirst {
			s.sum(l, p, fs)
			continue
		}
		n := s.m.Ops[l.Norm2].(*importer.LayerNorm)
		z, at := s.divert(n.Output)
		if at == nil {
			return s.err
		}
		h, r := n.Addends[0], n.Addends[1]
		if h == "" {
			return fmt.Errorf("layer %d: the residual sum before %q was not recognised", i, n.Output)
		}
		x := s.floatOf(at, n.Output, z, n.Output+"/graft/input")
		for _, f := range fs {
			name := fmt.Sprintf("%s/graft/%s/sum", n.Output, f)
			h = s.add(at, "Add", name, h, s.as(at, n.Addends[0], s.bottleneck(at, n.Output, p, f, x), name))
		}
		sum := s.add(at, "Add", n.Output+"/graft/residual", h, r)
		s.again(at, n, sum)
	}
	return nil
}

// end adds the slots of a place to what leaves a layer, x: x + adapter(x).
func (s *slotter) end(out string, p peft.Place, fs []kernel.Activation) {
	y, at := s.divert(out)
	s.addAll(at, out, p, fs, y, s.floatOf(at, out, y, out+"/graft/input"))
}

// addAll adds the bottlenecks of a place, of x, to y; the sum takes the name out.
func (s *slotter) addAll(at *onnx.Node, out string, p peft.Place, fs []kernel.Activation, y, x string) {
	for i, f := range fs {
		name := fmt.Sprintf("%s/graft/%s/sum", out, f)
		if i == len(fs)-1 {
			name = out
		}
		y = s.add(at, "Add", name, y, s.as(at, out, s.bottleneck(at, out, p, f, x), name))
	}
}

// sum adds the slots of a place at the output of a layer that normalises first: h + adapter(h + x) + r for what went into
// the feed-forward part, x, and what came out, h. The base's sum h + r stays as it is, and the adapter is added to it.
func (s *slotter) sum(l importer.Layer, p peft.Place, fs []kernel.Activation) {
	out := s.m.Ops[l.Output].Where().Output
	y, at := s.divert(out)
	in := s.add(at, "Add", out+"/graft/in", s.down(l), s.m.Ops[l.Norm2].Where().Output)
	s.addAll(at, out, p, fs, y, s.floatOf(at, out, in, out+"/graft/input"))
}

// down is the name under which the result of a layer's feed-forward part is added, in a layer that normalises first: a graph
// may have moved what its last map makes.
func (s *slotter) down(l importer.Layer) string {
	sum := s.m.Ops[l.Output].(*importer.Add)
	in := sum.Nodes[0].Inputs
	if sum.B == l.Down {
		return in[1]
	}
	return in[0]
}

// again repeats the nodes of a normalisation on another sum, giving its result the value's own name.
func (s *slotter) again(at *onnx.Node, n *importer.LayerNorm, sum string) {
	names := map[string]string{n.Output: n.Output}
	for _, name := range n.Reads {
		names[name] = sum
	}
	for _, src := range n.Nodes {
		for _, o := range src.Outputs {
			if o != "" && names[o] == "" {
				names[o] = o + "/graft/again"
			}
		}
	}
	replaced := false
	for _, src := range n.Nodes {
		c := *src
		c.Name = src.Name + "/graft/again"
		c.Inputs, c.Outputs = slices.Clone(src.Inputs), slices.Clone(src.Outputs)
		for i, x := range c.Inputs {
			if y, ok := names[x]; ok {
				c.Inputs[i] = y
				replaced = replaced || y == sum
			}
		}
		for i, x := range c.Outputs {
			if x != "" {
				c.Outputs[i] = names[x]
			}
		}
		s.after[at] = append(s.after[at], &c)
	}
	if !replaced {
		s.fail(fmt.Errorf("the normalisation that makes %q does not read its sum %q by that name", n.Output, n.Sum))
	}
}

// bottleneck adds up(f(down(x))) and returns its name.
func (s *slotter) bottleneck(at *onnx.Node, scope string, p peft.Place, f kernel.Activation, x string) string {
	down, downBias, up, upBias := bottleneckSlots(p.Name, f)
	width := fmt.Sprintf("d:%s:%s", p.Name, f)
	s.slot(down, width, int64(p.Out), -1)
	s.slot(downBias, width, -1)
	s.slot(up, width, -1, int64(p.Out))
	s.slot(upBias, "", int64(p.Out))
	pre := fmt.Sprintf("%s/graft/%s/", scope, f)
	d := s.add(at, "Add", pre+"down", s.add(at, "MatMul", pre+"down/product", x, down), downBias)
	d = s.activate(at, pre, f, d)
	return s.add(at, "Add", pre+"up", s.add(at, "MatMul", pre+"up/product", d, up), upBias)
}

// activate adds an activation in operators that every opset has.
func (s *slotter) activate(at *onnx.Node, pre string, f kernel.Activation, x string) string {
	switch f {
	case kernel.ReLU:
		return s.add(at, "Relu", pre+"relu", x)
	case kernel.Tanh:
		return s.add(at, "Tanh", pre+"tanh", x)
	case kernel.SiLU:
		return s.add(at, "Mul", pre+"silu", x, s.add(at, "Sigmoid", pre+"sigmoid", x))
	case kernel.GELU: // x/2·(1 + erf(x/√2))
		e := s.add(at, "Erf", pre+"erf", s.add(at, "Div", pre+"scaled", x, s.constant(math.Sqrt2)))
		g := s.add(at, "Mul", pre+"product", x, s.add(at, "Add", pre+"plus", e, s.constant(1)))
		return s.add(at, "Mul", pre+"gelu", g, s.constant(0.5))
	case kernel.GELUTanh: // x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
		cube := s.add(at, "Mul", pre+"cube", s.add(at, "Mul", pre+"square", x, x), x)
		in := s.add(at, "Add", pre+"inner", x, s.add(at, "Mul", pre+"third", cube, s.constant(0.044715)))
		t := s.add(at, "Tanh", pre+"tanh", s.add(at, "Mul", pre+"scaled", in, s.constant(math.Sqrt(2/math.Pi))))
		g := s.add(at, "Mul", pre+"product", x, s.add(at, "Add", pre+"plus", t, s.constant(1)))
		return s.add(at, "Mul", pre+"gelu", g, s.constant(0.5))
	}
	s.fail(fmt.Errorf("there is no way to write the activation %v", f))
	return x
}

// constant adds a scalar initialiser and returns its name.
func (s *slotter) constant(v float64) string {
	name := fmt.Sprintf("%sconstant/%g", slotPrefix, v)
	if !s.used[name] {
		s.used[name] = true
		t, err := onnx.NewTensor(name, nil, []float32{float32(v)})
		if err != nil {
			s.fail(err)
			return name
		}
		s.graph.Initializers = append(s.graph.Initializers, t)
	}
	return name
}

// top adds the slots above the encoder: the bottleneck on its last hidden state, and the head, whose logits become an
// output of the graph.
func (s *slotter) top(places []peft.Place, fs []kernel.Activation) (logits string, err error) {
	last := ""
	if s.m.Padded != nil {
		last = s.m.Padded.Hidden
	} else {
		last = s.m.Ops[s.m.Last].Where().Output
	}
	at := s.twin[last]
	if at == nil {
		return "", fmt.Errorf("no node makes the last hidden state %q", last)
	}
	i := slices.IndexFunc(places, func(p peft.Place) bool { return p.Kind == peft.Top })
	if i < 0 {
		return "", errors.New("the encoder has no top")
	}
	x := s.float(at, last, slotPrefix+"top/input")
	hidden := x
	for _, f := range fs {
		x = s.add(at, "Add", fmt.Sprintf("%stop/%s", slotPrefix, f), x, s.bottleneck(at, slotPrefix+"top", places[i], f, hidden))
	}
	s.slot(headWeightSlot, "labels", int64(places[i].Out), -1)
	s.slot(headBiasSlot, "labels", -1)
	logits = "logits"
	for _, o := range s.m.File.Graph.Outputs {
		if o.Name == logits {
			logits = slotPrefix + "logits"
		}
	}
	s.add(at, "Add", logits, s.add(at, "MatMul", slotPrefix+"head/product", x, headWeightSlot), headBiasSlot)
	out := &onnx.Shape{Dims: []onnx.Dim{onnx.SymbolicDim("batch"), onnx.SymbolicDim("sequence"), onnx.SymbolicDim("labels")}}
	if in := s.m.File.Graph.Inputs; len(in) > 0 && in[0].Type != nil && in[0].Type.Tensor != nil && in[0].Type.Tensor.Shape != nil {
		if d := in[0].Type.Tensor.Shape.Dims; len(d) == 2 {
			out.Dims[0], out.Dims[1] = d[0], d[1]
		}
	}
	s.graph.Outputs = append(s.graph.Outputs, &onnx.ValueInfo{Name: logits,
		Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float, Shape: out}}})
	return logits, nil
}
