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
}

// Func computes the outputs of an operator; elements are known where those of the inputs that matter are.
type Func func(c Call) ([]*Array, error)

// entry is an operator from an opset version on, until the next entry.
type entry struct {
	since int64
	f     Func
}

// errUnknown is returned where a shape depends on elements that are not known.
var errUnknown = errors.New("a shape or an index depends on the model's inputs in a way that cannot be resolved at import")

// Lookup returns the function of an operator at an opset version of its domain. The error says what is missing.
func Lookup(n *onnx.Node, opset int64) (Func, error) {
	domain := n.Domain
	if domain == "ai.onnx" {
		domain = ""
	}
	es, ok := operators[opKey{domain, n.OpType}]
	if !ok {
		return nil, fmt.Errorf("%v: graft does not know this operator (opset %d)", n, opset)
	}
	var f Func
	for _, e := range es {
		if e.since <= opset {
			f = e.f
		}
	}
	if f == nil {
		return nil, fmt.Errorf("%v: the operator exists since opset %d, the model imports opset %d", n, es[0].since, opset)
	}
	return f, nil
}

type opKey struct{ domain, op string }

// in returns input i, nil if it is left out.
func (c Call) in(i int) *Array {
	if i < len(c.In) {
		return c.In[i]
	}
	return nil
}

// need returns an error unless the first n inputs are there.
func (c Call) need(n int) error {
	for i := range n {
		if c.in(i) == nil {
			return fmt.Errorf("input %d is missing", i)
		}
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

// intsOr returns the integers of input i where it is there, and of the attribute otherwise; ok is false for neither.
func (c Call) intsOr(i int, name string) (x []int64, ok bool, err error) {
	if in := c.in(i); i >= 0 && in != nil {
		if in.Ints == nil {
			return nil, false, errUnknown
		}
		return in.Ints, true, nil
	}
	if a := c.Node.Attribute(name); a != nil {
		return a.Ints, true, nil
	}
	return nil, false, nil
}

func one(a *Array, err error) ([]*Array, error) {
	if err != nil {
		return nil, err
	}
	return []*Array{a}, nil
}

// operators lists the operators by (domain, name), each with the opset versions at which its meaning changed.
var operators = func() map[opKey][]entry {
	m := map[opKey][]entry{
		{"", "Constant"}:                 {{1, constant}},
		{"", "ConstantOfShape"}:          {{9, constantOfShape}},
		{"", "Shape"}:                    {{1, shape}},
		{"", "Size"}:                     {{1, size}},
		{"", "Range"}:                    {{11, rangeOf}},
		{"", "Identity"}:                 {{1, identity}},
		{"", "Dropout"}:                  {{1, dropout}},
		{"", "Cast"}:                     {{1, cast}},
		{"", "CastLike"}:                 {{15, castLike}},
		{"", "Reshape"}:                  {{5, reshape}},
		{"", "Flatten"}:                  {{1, flatten}},
		{"", "Transpose"}:                {{1, transpose}},
		{"", "Squeeze"}:                  {{1, squeeze}},
		{"", "Unsqueeze"}:                {{1, unsqueeze}},
		{"", "Expand"}:                   {{8, expand}},
		{"", "Tile"}:                     {{6, tile}},
		{"", "Concat"}:                   {{4, concat}},
		{"", "Split"}:                    {{1, split}},
		{"", "Slice"}:                    {{1, sliceAttr}, {10, sliceInput}},
		{"", "Gather"}:                   {{1, gather}},
		{"", "GatherElements"}:           {{11, gatherElements}},
		{"", "CumSum"}:                   {{11, cumSum}},
		{"", "Where"}:                    {{9, where}},
		{"", "ReduceMean"}:               {{1, reduce(mean)}},
		{"", "ReduceSum"}:                {{1, reduce(sum)}},
		{"", "ReduceMax"}:                {{1, reduce(maximum)}},
		{"", "ReduceMin"}:                {{1, reduce(minimum)}},
		{"", "ReduceProd"}:               {{1, reduce(prod)}},
		{"", "MatMul"}:                   {{1, matMul}},
		{"", "Gemm"}:                     {{7, gemm}},
		{"", "Softmax"}:                  {{1, shapeOf(0)}},
		{"", "LogSoftmax"}:               {{1, shapeOf(0)}},
		{"", "LayerNormalization"}:       {{17, layerNormalization}},
		{"com.microsoft", "Gelu"}:        {{1, unary(gelu)}},
		{"com.microsoft", "BiasGelu"}:    {{1, biasGelu}},
		{"com.microsoft", "FastGelu"}:    {{1, fastGelu}},
		{"com.microsoft", "QuickGelu"}:   {{1, quickGelu}},
		{"com.microsoft", "FusedMatMul"}: {{1, fusedMatMul}},
		{"com.microsoft", "FusedGemm"}:   {{1, fusedGemm}},
		{"", "Gelu"}:                     {{20, coreGelu}},
	}
	for name, f := range unaries {
		m[opKey{"", name}] = []entry{{1, unary(f)}}
	}
	for name, b := range binaries {
		m[opKey{"", name}] = []entry{{b.since, b.apply}}
	}
	return m
}()
