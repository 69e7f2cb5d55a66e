package lower

import (
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
)

type key struct{ domain, op string }

// rules lists how operators are lowered. importer/fold's table says from which opset on each is known, checks its inputs
// and attributes, and infers shapes before a rule is asked. Operators that it writes in others need no rule.
var rules = map[key]rule{
	{"", "Abs"}: mapped(kernel.Abs), {"", "Sign"}: mapped(kernel.Sign), {"", "Neg"}: unary(negated),
	{"", "Ceil"}: mapped(kernel.Ceil), {"", "Floor"}: mapped(kernel.Floor), {"", "Round"}: mapped(kernel.Round),
	{"", "Sqrt"}: mapped(kernel.Sqrt), {"", "Exp"}: unary(op.Exp), {"", "Log"}: mapped(kernel.Log),
	{"", "Erf"}: mapped(kernel.Erf), {"", "Sin"}: mapped(kernel.Sin), {"", "Cos"}: mapped(kernel.Cos),
	{"", "Atan"}:       mapped(kernel.Atan),
	{"", "Reciprocal"}: mapped(kernel.Reciprocal), {"", "Sigmoid"}: mapped(kernel.Sigmoid),
	{"", "Softplus"}: mapped(kernel.Softplus), {"", "Not"}: mapped(kernel.Not), {"", "IsNaN"}: mapped(kernel.IsNaN),
	{"", "Tanh"}: activated(kernel.Tanh), {"", "Relu"}: activated(kernel.ReLU), {"", "Gelu"}: gelu,
	{"com.microsoft", "Gelu"}: activated(kernel.GELU), {"com.microsoft", "BiasGelu"}: activated(kernel.GELU),
	{"com.microsoft", "FastGelu"}: activated(kernel.GELUTanh), {"com.microsoft", "QuickGelu"}: quickGelu,

	{"", "Add"}: arithmetic("Add", folded(op.Add)), {"", "Sub"}: arithmetic("Sub", folded(subtracted)),
	{"", "Mul"}: arithmetic("Mul", folded(op.Mul)), {"", "Div"}: arithmetic("Div", ofFloats(combined(kernel.Div))),
	{"", "Pow"}: arithmetic("Pow", ofFloats(combined(kernel.Pow))),
	{"", "Min"}: combined(kernel.Min), {"", "Max"}: combined(kernel.Max),
	{"", "Equal"}: combined(kernel.Equal), {"", "Less"}: combined(kernel.Less), {"", "Greater"}: combined(kernel.Greater),
	{"", "LessOrEqual"}: combined(kernel.LessOrEqual), {"", "GreaterOrEqual"}: combined(kernel.GreaterOrEqual),
	{"", "And"}: combined(kernel.And), {"", "Or"}: combined(kernel.Or), {"", "Xor"}: combined(kernel.Xor),
	{"", "Where"}: chosen, {"", "Clip"}: clipped, {"", "Cast"}: cast, {"", "CastLike"}: cast,

	{"", "Identity"}: reshaped, {"", "Reshape"}: reshaped, {"", "Flatten"}: reshaped, {"", "Squeeze"}: reshaped,
	{"", "Unsqueeze"}: reshaped, {"", "Dropout"}: reshaped,
	{"", "Transpose"}: transposed, {"", "Expand"}: moved, {"", "Tile"}: moved, {"", "Split"}: moved, {"", "Slice"}: moved,
	{"", "GatherElements"}: moved, {"", "GatherND"}: moved, {"", "Compress"}: moved, {"", "ReverseSequence"}: moved,
	{"", "Scatter"}: scattered, {"", "ScatterElements"}: scattered, {"", "ScatterND"}: scattered, {"", "Gather"}: gathered, {"", "Concat"}: joined,

	{"", "ReduceSum"}: reduced(op.RowSum, false), {"", "ReduceMean"}: ofFloats(reduced(op.RowSum, true)),
	{"", "ReduceProd"}: reduced(byRow(kernel.Product), false), {"", "ReduceMax"}: reduced(byRow(kernel.Greatest), false),
	{"", "ReduceMin"}: reduced(byRow(kernel.Least), false), {"", "CumSum"}: cumulated,
	{"", "Softmax"}: normalised(false), {"", "LogSoftmax"}: normalised(true), {"", "LayerNormalization"}: layerNormalised,
	{"", "MatMul"}: multiplied, {"com.microsoft", "FusedMatMul"}: multiplied, {"", "Gemm"}: general,
}
