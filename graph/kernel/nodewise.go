package kernel

// Function is an element-wise function of one argument, for networks that run node by node.
type Function int

// The functions of Kernels.Map. A condition is 1 where it holds and 0 elsewhere.
const (
	Abs        Function = iota
	Sign                // −1, 0 or 1; NaN of NaN
	Ceil                // towards +∞
	Floor               // towards −∞
	Round               // to the nearest integer, halves to even
	Trunc               // towards 0
	Sqrt                // √x
	Log                 // ln x
	Erf                 // 2/√π ∫₀ˣ e^(−t²) dt
	Sin                 // sin x
	Cos                 // cos x
	Reciprocal          // 1/x
	Sigmoid             // 1/(1 + e⁻ˣ)
	Softplus            // ln(1 + eˣ)
	Not                 // the condition x = 0
	IsNaN               // the condition that x is no number
	Exp                 // eˣ
	InvSqrt             // 1/√x
	Atan                // arctan x
)

var functionNames = [...]string{"abs", "sign", "ceil", "floor", "round", "trunc", "sqrt", "log", "erf", "sin", "cos",
	"reciprocal", "sigmoid", "softplus", "not", "isnan", "exp", "invsqrt", "atan"}

// String is the function's name in lower case.
func (f Function) String() string {
	if f < 0 || int(f) >= len(functionNames) {
		return "unknown"
	}
	return functionNames[f]
}

// Functions lists every Function.
func Functions() []Function { return all[Function](len(functionNames)) }

// Pair is an element-wise function of two arguments.
type Pair int

// The functions of Kernels.Combine. A condition is 1 where it holds and 0 elsewhere; comparisons with NaN do not hold.
const (
	Div            Pair = iota // a/b
	Pow                        // aᵇ
	Min                        // NaN if either is
	Max                        // NaN if either is
	Equal                      // a = b
	Less                       // a < b
	LessOrEqual                // a ≤ b
	Greater                    // a > b
	GreaterOrEqual             // a ≥ b
	And                        // a ≠ 0 and b ≠ 0
	Or                         // a ≠ 0 or b ≠ 0
	Xor                        // one of a and b is not 0
)

var pairNames = [...]string{"div", "pow", "min", "max", "equal", "less", "lessorequal", "greater", "greaterorequal", "and",
	"or", "xor"}

// String is the function's name in lower case.
func (f Pair) String() string {
	if f < 0 || int(f) >= len(pairNames) {
		return "unknown"
	}
	return pairNames[f]
}

// Pairs lists every Pair.
func Pairs() []Pair { return all[Pair](len(pairNames)) }

// Reduction makes one number of a row.
type Reduction int

// The reductions of Kernels.Reduce. Products and sums are taken in float64; the greatest and the least of a row with a
// NaN are NaN.
const (
	Product Reduction = iota
	Greatest
	Least
	Sum
)

var reductionNames = [...]string{"product", "greatest", "least", "sum"}

// String is the reduction's name in lower case.
func (f Reduction) String() string {
	if f < 0 || int(f) >= len(reductionNames) {
		return "unknown"
	}
	return reductionNames[f]
}

// Reductions lists every Reduction.
func Reductions() []Reduction { return all[Reduction](len(reductionNames)) }

func all[T ~int](n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = T(i)
	}
	return out
}
