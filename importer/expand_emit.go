package importer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// emitter collects the nodes that a rule writes for another one.
type emitter struct {
	x     *expander
	src   *onnx.Node
	nodes []*onnx.Node
}

// scope is a path for the names of new nodes: that of the value that the node makes, "/encoder/layer.0/attention/self/"
// of "/encoder/layer.0/attention/self/Reshape_3_output_0", or one of the node's own name.
func (e *emitter) scope() string {
	out := ""
	if len(e.src.Outputs) > 0 {
		out = e.src.Outputs[0]
	}
	if i := strings.LastIndexByte(out, '/'); i > 0 && out[0] == '/' {
		return out[:i+1]
	}
	if e.src.Name != "" {
		return "/" + strings.Trim(e.src.Name, "/") + "/"
	}
	return "/" + strings.Trim(out, "/") + "/"
}

// as writes a node that makes the value out. The node is called after its operator in the scope, below a module where
// path is one: "query/".
func (e *emitter) as(out, op, path string, in []string, attributes ...*onnx.Attribute) string {
	e.nodes = append(e.nodes, &onnx.Node{OpType: op, Name: e.x.freshNode(e.scope() + path + op), Inputs: in, Outputs: []string{out},
		Attributes: attributes})
	return out
}

// add writes a node that makes a new value.
func (e *emitter) add(op string, in []string, attributes ...*onnx.Attribute) string {
	return e.in("", op, in, attributes...)
}

// in is add below a module.
func (e *emitter) in(path, op string, in []string, attributes ...*onnx.Attribute) string {
	return e.as(e.x.fresh(e.scope()+path+op+"_output_0"), op, path, in, attributes...)
}

func intAttribute(name string, v int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v}
}

func intsAttribute(name string, v ...int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

// constant adds an initialiser under a name that says what it holds, once, and returns the name.
func (e *emitter) constant(name string, dims []int64, data any) string {
	name = "graft/constant/" + name
	if e.x.inits[name] != nil {
		return name
	}
	t, err := onnx.NewTensor(name, dims, data)
	if err != nil { // of a type and length of our own making
		return name
	}
	e.x.names[name] = 1
	e.x.initialiser(t)
	return name
}

// ints is a vector of int64.
func (e *emitter) ints(v ...int64) string {
	return e.constant("int64"+strings.ReplaceAll(fmt.Sprint(v), " ", ","), []int64{int64(len(v))}, v)
}

// int is an int64 scalar.
func (e *emitter) int(v int64) string { return e.constant(fmt.Sprintf("int64/%d", v), nil, []int64{v}) }

// float is a scalar of the type that the node computes in.
func (e *emitter) float(v float64) string {
	t := e.elem()
	name := fmt.Sprintf("%v/%g", t, v)
	switch t {
	case onnx.Float16:
		return e.constant(name, nil, []onnx.F16{onnx.ToF16(float32(v))})
	case onnx.Bfloat16:
		return e.constant(name, nil, []onnx.BF16{onnx.ToBF16(float32(v))})
	case onnx.Double:
		return e.constant(name, nil, []float64{v})
	}
	return e.constant(name, nil, []float32{float32(v)})
}

// elem is the type of floating-point numbers that the node computes in: that of its weights, or of its inputs as far as
// they were told.
func (e *emitter) elem() onnx.DataType {
	for _, in := range e.src.Inputs {
		if t := e.x.inits[in]; t != nil && isFloat(t.Type) {
			return t.Type
		}
	}
	return onnx.Float
}

// opset is the version of the default domain.
func (e *emitter) opset() int64 {
	v, _ := e.x.model.Opset("")
	return v
}

// reduce writes a reduction over one axis, whose axes are an input from some opset on.
func (e *emitter) reduce(op string, since int64, x string, axis, keep int64) string {
	if e.opset() >= since {
		return e.add(op, []string{x, e.ints(axis)}, intAttribute("keepdims", keep))
	}
	return e.add(op, []string{x}, intsAttribute("axes", axis), intAttribute("keepdims", keep))
}

// stays leaves a node as it is where not enough is known to write it, which is no error for an operator that has a meaning
// of its own.
func (e *emitter) stays(err error) error {
	if errors.Is(err, errLate) {
		return err
	}
	e.nodes = nil
	return nil
}

// input is input i, "" where it is left out.
func (e *emitter) input(i int) string {
	if i < len(e.src.Inputs) {
		return e.src.Inputs[i]
	}
	return ""
}

// output is output i, "" where nobody wants it.
func (e *emitter) output(i int) string {
	if i < len(e.src.Outputs) {
		return e.src.Outputs[i]
	}
	return ""
}

func (e *emitter) intOr(name string, def int64) int64 {
	if a := e.src.Attribute(name); a != nil {
		return a.I
	}
	return def
}

func (e *emitter) floatOr(name string, def float32) float64 {
	if a := e.src.Attribute(name); a != nil {
		return float64(a.F)
	}
	return float64(def)
}

// need returns an error unless the inputs below n are there.
func (e *emitter) need(n int) error {
	for i := range n {
		if e.input(i) == "" {
			return fmt.Errorf("input %d is missing", i)
		}
	}
	if e.output(0) == "" {
		return fmt.Errorf("it has no first output")
	}
	return nil
}

// unwanted returns an error where any output from i on is read.
func (e *emitter) unwanted(i int) error {
	for ; i < len(e.src.Outputs); i++ {
		if e.output(i) != "" {
			return fmt.Errorf("graft does not know its output %d", i)
		}
	}
	return nil
}

// unknown returns an error where any input from i on is given.
func (e *emitter) unknown(i int) error {
	for ; i < len(e.src.Inputs); i++ {
		if e.input(i) != "" {
			return fmt.Errorf("graft does not know its input %d, %q", i, e.input(i))
		}
	}
	return nil
}
