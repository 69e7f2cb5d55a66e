package build

import "github.com/seed-aefebe89/graft/importer/onnx"

// Option sets something of a node: an attribute, its name, its outputs, its domain.
type Option func(*settings)

// settings is a node in the making.
type settings struct {
	node    *onnx.Node
	builder *Builder
}

func attribute(a *onnx.Attribute) Option {
	return func(s *settings) {
		if s.node.Attribute(a.Name) != nil {
			s.builder.failf("%v has two attributes %q", s.node, a.Name)
		}
		s.node.Attributes = append(s.node.Attributes, a)
	}
}

// Int is an attribute of an integer.
func Int(name string, v int64) Option {
	return attribute(&onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v})
}

// Float is an attribute of a number.
func Float(name string, v float32) Option {
	return attribute(&onnx.Attribute{Name: name, Type: onnx.AttrFloat, F: v})
}

// String is an attribute of a text.
func String(name, v string) Option {
	return attribute(&onnx.Attribute{Name: name, Type: onnx.AttrString, S: []byte(v)})
}

// Ints is an attribute of integers.
func Ints(name string, v ...int64) Option {
	return attribute(&onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v})
}

// Floats is an attribute of numbers.
func Floats(name string, v ...float32) Option {
	return attribute(&onnx.Attribute{Name: name, Type: onnx.AttrFloats, Floats: v})
}

// Strings is an attribute of texts.
func Strings(name string, v ...string) Option {
	b := make([][]byte, len(v))
	for i := range v {
		b[i] = []byte(v[i])
	}
	return attribute(&onnx.Attribute{Name: name, Type: onnx.AttrStrings, Strings: b})
}

// Tensor is an attribute of a tensor.
func Tensor(name string, t *onnx.Tensor) Option {
	return attribute(&onnx.Attribute{Name: name, Type: onnx.AttrTensor, T: t})
}

// Graph is an attribute of a sub-graph, made by Builder.Sub. A fault in it is the node's.
func Graph(name string, sub *Builder) Option {
	set := attribute(&onnx.Attribute{Name: name, Type: onnx.AttrGraph, G: sub.graph})
	return func(s *settings) {
		if sub.err != nil {
			s.builder.failf("%w", sub.err)
		}
		for _, d := range sub.order {
			s.builder.imports(d, sub.domain[d])
		}
		set(s)
	}
}

// Name names the node.
func Name(name string) Option { return func(s *settings) { s.node.Name = name } }

// To names the node's outputs; those that it does not name get their usual names, and "" leaves one out.
func To(outputs ...string) Option { return func(s *settings) { s.node.Outputs = outputs } }

// Domain takes the operator from a domain, whose operator set the model then imports in that version.
func Domain(domain string, version int64) Option {
	return func(s *settings) {
		s.node.Domain = domain
		s.builder.imports(domain, version)
	}
}

// imports adds an operator set to the model.
func (s *state) imports(domain string, version int64) {
	have, ok := s.domain[domain]
	switch {
	case !ok:
		s.domain[domain] = version
		s.order = append(s.order, domain)
	case have != version:
		s.failf("the domain %q is imported as version %d and as %d", domain, have, version)
	}
}

// All is several options as one.
func All(options ...Option) Option {
	return func(s *settings) {
		for _, set := range options {
			set(s)
		}
	}
}
