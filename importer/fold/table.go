package fold

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Lookup returns the function of an operator at an opset version of its domain. The error says what is missing.
func Lookup(n *onnx.Node, opset int64) (Func, error) {
	e, err := operators.lookup(n, opset)
	if err != nil {
		return nil, err
	}
	return func(c Call) ([]*Array, error) {
		c.table = operators
		return e.call(c)
	}, nil
}

// lookup finds an operator at an opset version.
func (t table) lookup(n *onnx.Node, opset int64) (entry, error) {
	domain := n.Domain
	if domain == "ai.onnx" {
		domain = ""
	}
	es, ok := t[opKey{domain, n.OpType}]
	if why := refused[n.OpType]; !ok && domain == "" && why != "" {
		return entry{}, fmt.Errorf("%v: %s (opset %d)", n, why, opset)
	}
	if !ok {
		return entry{}, fmt.Errorf("%v: graft does not know this operator (opset %d)", n, opset)
	}
	if opset < es[0].since {
		return entry{}, fmt.Errorf("%v: graft knows this operator from opset %d on, the model imports opset %d", n,
			es[0].since, opset)
	}
	e := es[0]
	for _, x := range es {
		if x.since <= opset {
			e = x
		}
	}
	return e, nil
}

const (
	recurrent = "graft does not know this operator: it is recurrent, which no encoder of tokens is"
	random    = "graft does not know this operator: it draws random numbers"
)

// refused are operators of which it is said why they are not known.
var refused = map[string]string{
	"LSTM": recurrent, "GRU": recurrent, "RNN": recurrent,
	"Bernoulli": random, "Multinomial": random, "RandomNormal": random, "RandomNormalLike": random, "RandomUniform": random,
	"RandomUniformLike": random,
}

// SameMeaning tells whether a node's operator means the same at two opset versions of its domain. Of an operator that is
// not known nothing is told but that one version is itself.
func SameMeaning(n *onnx.Node, a, b int64) bool {
	es := operators[opKey{n.Domain, n.OpType}]
	at := func(opset int64) int {
		k := -1
		for i, e := range es {
			if e.since <= opset {
				k = i
			}
		}
		return k
	}
	return a == b || at(a) >= 0 && at(a) == at(b)
}

// scatters are the versions of an operator that scatters: without reductions, with some, and with all of them.
func scatters(f Func, indices class) []entry {
	return []entry{at(11, f, 3, anyType, indices, anyType), at(16, f, 3, anyType, indices, anyType), at(18, f, 3, anyType, indices, anyType)}
}

type opKey struct{ domain, op string }

// table are operators, each with its versions from the oldest on.
type table map[opKey][]entry

// operators lists the operators by (domain, name), each with the opset versions at which its inputs or its meaning
// changed.
var operators = func() table {
	m := table{
		{"", "Constant"}:        {at(1, constant, 0)},
		{"", "ConstantOfShape"}: {at(9, constantOfShape, 1, int64s)},
		{"", "Shape"}:           {at(1, shape, 1, anyType)},
		{"", "Size"}:            {at(1, size, 1, anyType)},
		{"", "Range"}:           {at(11, rangeOf, 3, number, same, same)},
		{"", "Identity"}:        {at(1, identity, 1, anyType)},
		{"", "Dropout"}:         {at(7, dropout, 1, float), at(12, dropout, 1, float, float, boolean)},
		{"", "Cast"}:            {at(6, cast, 1, anyType)},
		{"", "CastLike"}:        {at(15, castLike, 2, anyType, anyType)},
		{"", "Where"}:           {at(9, where, 3, boolean, anyType, same)},

		{"", "Reshape"}:   {at(5, reshape, 2, anyType, int64s)},
		{"", "Flatten"}:   {at(1, flatten, 1, anyType)},
		{"", "Transpose"}: {at(1, transpose, 1, anyType)},
		{"", "Squeeze"}:   {at(1, squeeze, 1, anyType), at(13, squeeze, 1, anyType, int64s)},
		{"", "Unsqueeze"}: {at(1, unsqueeze, 1, anyType), at(13, unsqueeze, 2, anyType, int64s)},
		{"", "Expand"}:    {at(8, expand, 2, anyType, int64s)},
		{"", "Tile"}:      {at(6, tile, 2, anyType, int64s)},
		{"", "Concat"}:    {variadic(4, concat, anyType)},
		{"", "Split"}: {at(2, splitEven, 1, anyType), at(13, splitEven, 1, anyType, int64s),
			at(18, split, 1, anyType, int64s)},
		{"", "Slice"}:          {at(1, sliceAttr, 1, anyType), at(10, sliceInput, 3, anyType, index, same, same, same)},
		{"", "Gather"}:         {at(1, gather, 2, anyType, index)},
		{"", "GatherElements"}: {at(11, gatherElements, 2, anyType, index)},

		{"", "Clip"}: {at(6, clipAttr, 1, float), at(11, clipInput, 1, float, float, float),
			at(12, clipInput, 1, number, number, number)},
		{"", "CumSum"}:     {at(11, cumSum, 2, number, index)},
		{"", "ReduceMean"}: {at(1, reduce(mean), 1, number), at(18, reduce(mean), 1, number, int64s)},
		{"", "ReduceSum"}:  {at(1, reduce(sum), 1, number), at(13, reduce(sum), 1, number, int64s)},
		{"", "ReduceProd"}: {at(1, reduce(prod), 1, number), at(18, reduce(prod), 1, number, int64s)},
		{"", "ReduceMax"}: {at(1, reduce(maximum), 1, number), at(18, reduce(maximum), 1, number, int64s),
			at(20, reduce(maximum), 1, anyType, int64s)},
		{"", "ReduceMin"}: {at(1, reduce(minimum), 1, number), at(18, reduce(minimum), 1, number, int64s),
			at(20, reduce(minimum), 1, anyType, int64s)},

		{"", "MatMul"}:     {at(1, matMul, 2, number, same)},
		{"", "Gemm"}:       {at(7, gemm, 2, number, same, same)},
		{"", "Softmax"}:    {at(1, softmax(1, true, false), 1, float), at(13, softmax(-1, false, false), 1, float)},
		{"", "LogSoftmax"}: {at(1, softmax(1, true, true), 1, float), at(13, softmax(-1, false, true), 1, float)},
		{"", "Gelu"}:       {at(20, coreGelu, 1, float)},
		// ONNX has it from opset 17 on, onnxruntime from 1: its optimiser writes it into older models.
		{"", "LayerNormalization"}: {at(1, layerNormalization, 2, float, same, same)},

		{"", "QuantizeLinear"}:        {at(10, quantizeLinear, 2, number, float, anyType)},
		{"", "DequantizeLinear"}:      {at(10, dequantizeLinear, 2, number, float, anyType)},
		{"", "DynamicQuantizeLinear"}: {at(11, dynamicQuantizeLinear, 1, float)},
		{"", "MatMulInteger"}:         {at(10, matMulInteger, 2, number, number, anyType, anyType)},

		{"", "GatherND"}:        {at(11, gatherND, 2, anyType, int64s), at(12, gatherND, 2, anyType, int64s)},
		{"", "Scatter"}:         {at(9, scatterElements, 3, anyType, index, anyType)},
		{"", "ScatterElements"}: scatters(scatterElements, index),
		{"", "ScatterND"}:       scatters(scatterND, int64s),
		{"", "NonZero"}:         {at(9, nonZero, 1, anyType)},
		{"", "Compress"}:        {at(9, compress, 2, anyType, boolean)},
		{"", "ReverseSequence"}: {at(10, reverseSequence, 2, anyType, int64s)},
		{"", "EyeLike"}:         {at(9, eyeLike, 1, anyType)},
		{"", "BitShift"}:        {at(11, bitShift, 2, integer, same)},

		{"com.microsoft", "Gelu"}:        {at(1, unary{f: gelu}.apply, 1, float)},
		{"com.microsoft", "QuickGelu"}:   {at(1, quickGelu, 1, float)},
		{"com.microsoft", "BiasGelu"}:    {at(1, biasGelu, 2, float, same)},
		{"com.microsoft", "FastGelu"}:    {at(1, fastGelu, 1, float, same)},
		{"com.microsoft", "FusedMatMul"}: {at(1, fusedMatMul, 2, float, same)},
		{"com.microsoft", "FusedGemm"}:   {at(1, fusedGemm, 2, float, same, same)},
	}
	maps.Copy(m, writtenOperators())
	for name, u := range unaries {
		m[opKey{"", name}] = []entry{at(u.since, u.apply, 1, u.in)}
	}
	for name, b := range binaries {
		es := []entry{at(b.since, b.apply, 2, b.in, same)}
		switch name {
		case "Pow": // whose exponent may have a type of its own
			es[0].in[1] = number
		case "Min", "Max": // of integers from opset 12 on
			es = []entry{variadic(b.since, b.apply, float), variadic(12, b.apply, b.in)}
		case "Mod":
			es[0].write = mod // of floating-point numbers in a graph
		}
		m[opKey{"", name}] = es
	}
	return m
}()

// Operator is an operator that this package knows.
type Operator struct {
	Domain, Name string
	Since        []int64 // the opset versions of its domain at which its inputs or its meaning changed
	Written      bool    // in other operators
}

// Operators lists all of them, by domain and name.
func Operators() []Operator {
	var out []Operator
	for k, es := range operators {
		o := Operator{Domain: k.domain, Name: k.op}
		for _, e := range es {
			o.Since, o.Written = append(o.Since, e.since), o.Written || e.write != nil
		}
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b Operator) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Name, b.Name))
	})
	return out
}
