package fold

import (
	"math"
)

// Activations and other functions of one argument, by the formulas of the ONNX specification. Exponentials are taken of
// negative numbers alone where the others do not count, so that no gradient is 0·∞.

// elementwise is an operator written as a function of its input.
func elementwise(f func(w *writer, x *Array) *Array) writing {
	return func(w *writer) []*Array { return one1(f(w, w.In[0])) }
}

// below is eᵐ − 1 for m = min(x, 0).
func (w *writer) below(x *Array) *Array { return w.sub(w.of("Exp", w.min(x, w.num(0))), w.num(1)) }

func elu(w *writer, x *Array) *Array {
	return w.add(w.of("Relu", x), w.mul(w.below(x), w.num(w.float("alpha", 1))))
}

func selu(w *writer, x *Array) *Array {
	y := w.add(w.of("Relu", x), w.mul(w.below(x), w.num(w.float("alpha", 1.67326319217681884765625))))
	return w.mul(y, w.num(w.float("gamma", 1.05070102214813232421875)))
}

// celu is max(x, 0) + min(0, α·(e^(x/α) − 1)), of either sign of α.
func celu(w *writer, x *Array) *Array {
	alpha := w.float("alpha", 1)
	if alpha == 0 {
		w.fail("alpha is 0")
		return x
	}
	y := w.sub(w.of("Exp", w.div(w.min(x, w.num(0)), w.num(alpha))), w.num(1))
	return w.add(w.of("Relu", x), w.mul(y, w.num(alpha)))
}

func leakyRelu(w *writer, x *Array) *Array {
	return w.where(w.less(x, w.num(0)), w.mul(x, w.num(w.float("alpha", 0.01))), x)
}

// pRelu has a slope that is repeated to x's shape, but not the other way round.
func pRelu(w *writer) []*Array {
	x, slope := w.In[0], w.In[1]
	if _, err := Expand(Unknown(slope.Type, slope.Shape...), x.Shape); w.failed(err) {
		return nil
	}
	return one1(w.where(w.less(x, w.num(0)), w.mul(x, slope), x))
}

func thresholdedRelu(w *writer, x *Array) *Array {
	return w.where(w.less(w.num(w.float("alpha", 1)), x), x, w.num(0))
}

func hardSigmoid(w *writer, x *Array) *Array {
	return w.hardSigmoid(x, w.float("alpha", 0.2), w.float("beta", 0.5))
}

func (w *writer) hardSigmoid(x *Array, alpha, beta float64) *Array {
	y := w.add(w.mul(x, w.num(alpha)), w.num(beta))
	return w.max(w.num(0), w.min(w.num(1), y))
}

func hardSwish(w *writer, x *Array) *Array { return w.mul(x, w.hardSigmoid(x, 1.0/6, 0.5)) }

func softsign(w *writer, x *Array) *Array { return w.div(x, w.add(w.of("Abs", x), w.num(1))) }

func mish(w *writer, x *Array) *Array { return w.mul(x, w.of("Tanh", w.of("Softplus", x))) }

func swish(w *writer, x *Array) *Array {
	return w.mul(x, w.of("Sigmoid", w.mul(x, w.num(w.float("alpha", 1)))))
}

// shrink moves numbers outside of [−λ, λ] towards 0, and makes 0 of those inside.
func shrink(w *writer, x *Array) *Array {
	lambda, bias := w.float("lambd", 0.5), w.num(w.float("bias", 0))
	return w.where(w.less(x, w.num(-lambda)), w.add(x, bias), w.where(w.less(w.num(lambda), x), w.sub(x, bias), w.num(0)))
}

func tan(w *writer, x *Array) *Array { return w.div(w.of("Sin", x), w.of("Cos", x)) }

// asin is atan(x / √((1−x)(1+x))), whose argument is infinite at ±1.
func asin(w *writer, x *Array) *Array {
	one := w.num(1)
	return w.of("Atan", w.div(x, w.of("Sqrt", w.mul(w.sub(one, x), w.add(one, x)))))
}

func acos(w *writer, x *Array) *Array { return w.sub(w.num(math.Pi/2), asin(w, x)) }

// halves are eˣ/2 and e⁻ˣ/2.
func (w *writer) halves(x *Array) (up, down *Array) {
	half := w.num(0.5)
	return w.mul(w.of("Exp", x), half), w.mul(w.of("Exp", w.of("Neg", x)), half)
}

func sinh(w *writer, x *Array) *Array { return w.sub(w.halves(x)) }

func cosh(w *writer, x *Array) *Array { return w.add(w.halves(x)) }

// asinh is ±ln(a + √(a² + 1)) for a = |x|; chosen by the sign, it has its derivative at 0.
func asinh(w *writer, x *Array) *Array {
	negative := w.less(x, w.num(0))
	a := w.where(negative, w.of("Neg", x), x)
	y := w.of("Log", w.add(a, w.of("Sqrt", w.add(w.mul(a, a), w.num(1)))))
	return w.where(negative, w.of("Neg", y), y)
}

// acosh is ln(x + √((x−1)(x+1))).
func acosh(w *writer, x *Array) *Array {
	one := w.num(1)
	return w.of("Log", w.add(x, w.of("Sqrt", w.mul(w.sub(x, one), w.add(x, one)))))
}

// atanh is (ln(1+x) − ln(1−x))/2.
func atanh(w *writer, x *Array) *Array {
	one := w.num(1)
	return w.mul(w.sub(w.of("Log", w.add(one, x)), w.of("Log", w.sub(one, x))), w.num(0.5))
}

func isInf(w *writer, x *Array) *Array {
	up, down := w.int("detect_positive", 1) != 0, w.int("detect_negative", 1) != 0
	top := w.num(math.Inf(1))
	switch {
	case up && down:
		return w.do("Equal", []*Array{w.of("Abs", x), top})
	case up:
		return w.do("Equal", []*Array{x, top})
	case down:
		return w.do("Equal", []*Array{x, w.num(math.Inf(-1))})
	}
	return w.less(w.of("Abs", x), w.num(0)) // which holds nowhere
}

// mod is the remainder of x/y with x's sign, or 0, of floating-point numbers. Integers have an arithmetic of their own.
func mod(w *writer) []*Array {
	x, y := w.In[0], w.In[1]
	if !isFloat(x.Type) {
		return w.fail("the remainder of %v, computed from weights or floating-point inputs: graft has no arithmetic of integers there", x)
	}
	size, a := w.of("Abs", y), w.of("Abs", x)
	r := w.sub(a, w.mul(size, w.of("Floor", w.div(a, size))))
	r = w.where(w.less(r, w.num(0)), w.add(r, size), r) // where the quotient was rounded up to a whole number
	return one1(w.where(w.less(x, w.num(0)), w.of("Neg", r), r))
}
