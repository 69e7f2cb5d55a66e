package fold

import (
	"errors"
	"fmt"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Call is one application of an operator.
type Call struct {
	Node *onnx.Node
	In   []*Array // nil where an optional input is left out

	table table // for operators that are written in others
}

// Func computes the outputs of an operator; elements are known where those of the inputs that matter are. Neither
// inputs nor outputs may be changed: they may share elements.
type Func func(c Call) ([]*Array, error)

// errUnknown is returned where a shape depends on elements that are not known.
var errUnknown = errors.New("a shape or an index depends on the model's inputs in a way that cannot be resolved at " +
	"import")

// entry is an operator from an opset version on, until the next entry.
type entry struct {
	since int64
	f     Func
	min   int     // inputs that may not be left out
	in    []class // of each input
	more  bool    // any number of inputs, the further ones like the last
	write writing // what it is written in, of an operator that is
}

// at is an operator of fixed inputs, of which min are needed.
func at(since int64, f Func, min int, in ...class) entry {
	return entry{since: since, f: f, min: min, in: in}
}

// variadic is an operator of one or more inputs of one type.
func variadic(since int64, f Func, in class) entry {
	return entry{since: since, f: f, min: 1, in: []class{in, same}, more: true}
}

// call checks the inputs, applies the operator and checks what it gave.
func (e entry) call(c Call) ([]*Array, error) {
	if err := e.accepts(c); err != nil {
		return nil, err
	}
	out, err := e.f(c)
	if err != nil {
		return nil, err
	}
	for i, a := range out {
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("output %d: %w", i, err)
		}
		if a.Size() == 0 && !a.Known() { // all of its elements are known
			b := Unknown(a.Type, a.Shape...)
			if err := b.alloc(); err != nil {
				return nil, err
			}
			out[i] = b
		}
	}
	return out, nil
}

// accepts checks inputs and attributes.
func (e entry) accepts(c Call) error {
	if err := e.inputs(c.In); err != nil {
		return err
	}
	return attributes(c.Node)
}

// inputs checks the number of the inputs and their types.
func (e entry) inputs(in []*Array) error {
	if len(in) > len(e.in) && !e.more {
		return fmt.Errorf("it has %d inputs, want at most %d", len(in), len(e.in))
	}
	if len(in) < e.min {
		return fmt.Errorf("input %d is missing", len(in))
	}
	before := onnx.Undefined
	for i, a := range in {
		if a == nil {
			if i < e.min || e.more {
				return fmt.Errorf("input %d is missing", i)
			}
			continue
		}
		if err := a.check(); err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
		switch k := e.in[min(i, len(e.in)-1)]; {
		case k == same && a.Type != before:
			return fmt.Errorf("input %d is %v, want %v", i, a.Type, before)
		case k != same && !k.has(a.Type):
			return fmt.Errorf("input %d is %v, want %v", i, a.Type, k)
		}
		before = a.Type
	}
	return nil
}

// attributeTypes are those of the operators' attributes, which have one type wherever they occur but in Pad.
var attributeTypes = map[string]onnx.AttributeType{
	"axis": onnx.AttrInt, "axes": onnx.AttrInts, "keepdims": onnx.AttrInt, "noop_with_empty_axes": onnx.AttrInt,
	"perm": onnx.AttrInts, "to": onnx.AttrInt, "allowzero": onnx.AttrInt, "starts": onnx.AttrInts, "ends": onnx.AttrInts,
	"start": onnx.AttrInt, "end": onnx.AttrInt, "split": onnx.AttrInts, "num_outputs": onnx.AttrInt,
	"exclusive": onnx.AttrInt, "reverse": onnx.AttrInt, "fmod": onnx.AttrInt, "approximate": onnx.AttrString,
	"value": onnx.AttrTensor, "value_int": onnx.AttrInt, "value_ints": onnx.AttrInts, "value_float": onnx.AttrFloat,
	"value_floats": onnx.AttrFloats, "alpha": onnx.AttrFloat, "beta": onnx.AttrFloat, "transA": onnx.AttrInt,
	"transB": onnx.AttrInt, "transBatchA": onnx.AttrInt, "transBatchB": onnx.AttrInt, "epsilon": onnx.AttrFloat,
	"activation": onnx.AttrString, "min": onnx.AttrFloat, "max": onnx.AttrFloat, "mode": onnx.AttrString,
	"group": onnx.AttrInt, "kernel_shape": onnx.AttrInts, "pads": onnx.AttrInts, "strides": onnx.AttrInts,
	"dilations": onnx.AttrInts, "auto_pad": onnx.AttrString, "ceil_mode": onnx.AttrInt, "count_include_pad": onnx.AttrInt,
	"equation": onnx.AttrString, "upper": onnx.AttrInt, "largest": onnx.AttrInt, "sorted": onnx.AttrInt,
	"select_last_index": onnx.AttrInt, "k": onnx.AttrInt, "batch_dims": onnx.AttrInt, "reduction": onnx.AttrString,
	"p": onnx.AttrInt, "num_groups": onnx.AttrInt, "blocksize": onnx.AttrInt, "gamma": onnx.AttrFloat,
	"lambd": onnx.AttrFloat, "bias": onnx.AttrFloat, "direction": onnx.AttrString, "detect_negative": onnx.AttrInt,
	"detect_positive": onnx.AttrInt, "dtype": onnx.AttrInt, "batch_axis": onnx.AttrInt, "time_axis": onnx.AttrInt,
	"is_causal": onnx.AttrInt, "softcap": onnx.AttrFloat, "scale": onnx.AttrFloat, "q_num_heads": onnx.AttrInt,
	"kv_num_heads": onnx.AttrInt, "qk_matmul_output_mode": onnx.AttrInt, "interleaved": onnx.AttrInt,
	"num_heads": onnx.AttrInt, "rotary_embedding_dim": onnx.AttrInt, "spatial": onnx.AttrInt, "training_mode": onnx.AttrInt,
}

// attributes checks the types of a node's attributes: of one that is mistaken for another type the value would be zero.
func attributes(n *onnx.Node) error {
	for _, a := range n.Attributes {
		if a == nil {
			continue
		}
		want, ok := attributeTypes[a.Name]
		if a.Name == "value" && n.OpType == "Pad" { // before opset 11
			want = onnx.AttrFloat
		}
		if ok && a.Type != want {
			return fmt.Errorf("the attribute %q is of type %v, want %v", a.Name, a.Type, want)
		}
	}
	return nil
}

// in returns input i, nil if it is left out.
func (c Call) in(i int) *Array {
	if i < len(c.In) {
		return c.In[i]
	}
	return nil
}

func (c Call) int(name string, def int64) int64 {
	if a := c.Node.Attribute(name); a != nil {
		return a.I
	}
	return def
}

func (c Call) float(name string, def float64) float64 {
	if a := c.Node.Attribute(name); a != nil {
		return float64(a.F)
	}
	return def
}

// ints returns the integers of an attribute; ok is false where there is none.
func (c Call) ints(name string) (x []int64, ok bool) {
	if a := c.Node.Attribute(name); a != nil {
		return a.Ints, true
	}
	return nil, false
}

// vector returns the integers of input i, which is a vector or a scalar; ok is false where it is left out.
func (c Call) vector(i int) (x []int64, ok bool, err error) {
	in := c.in(i)
	switch {
	case in == nil:
		return nil, false, nil
	case len(in.Shape) > 1:
		return nil, false, fmt.Errorf("input %d, %v, is not a vector", i, in)
	case in.Ints == nil:
		return nil, false, errUnknown
	}
	return in.Ints, true, nil
}

// intsOr returns the integers of input i where it is there, and of the attribute otherwise; ok is false for neither.
func (c Call) intsOr(i int, name string) (x []int64, ok bool, err error) {
	if x, ok, err = c.vector(i); ok || err != nil {
		return x, ok, err
	}
	x, ok = c.ints(name)
	return x, ok, nil
}

func one(a *Array, err error) ([]*Array, error) {
	if err != nil {
		return nil, err
	}
	return []*Array{a}, nil
}
