package fold

import (
	"fmt"
	"math"
	"slices"
)

// The operators of onnxruntime's domain com.microsoft that its optimiser writes, by docs/ContribOperators.md.

func coreGelu(c Call) ([]*Array, error) {
	if a := c.Node.Attribute("approximate"); a != nil && string(a.S) == "tanh" {
		return unary(geluTanh)(c)
	}
	return unary(gelu)(c)
}

func quickGelu(c Call) ([]*Array, error) {
	alpha := c.float("alpha", 1.702)
	return unary(func(x float64) float64 { return x / (1 + math.Exp(-alpha*x)) })(c)
}

func biasGelu(c Call) ([]*Array, error) { return biased(c, gelu) }

func fastGelu(c Call) ([]*Array, error) { return biased(c, geluTanh) }

// biased applies f to the sum of the first input and the second, if there is one.
func biased(c Call, f func(float64) float64) ([]*Array, error) {
	if err := c.need(1); err != nil {
		return nil, err
	}
	x := c.In[0]
	if b := c.in(1); b != nil {
		s, err := binaries["Add"].two(x, b)
		if err != nil {
			return nil, err
		}
		x = s
	}
	return unary(f)(Call{Node: c.Node, In: []*Array{x}})
}

// fusedMatMul is MatMul with the last two dimensions of each side transposed on request.
func fusedMatMul(c Call) ([]*Array, error) {
	if err := c.need(2); err != nil {
		return nil, err
	}
	if c.int("transBatchA", 0) != 0 || c.int("transBatchB", 0) != 0 {
		return nil, fmt.Errorf("transBatchA and transBatchB are not known")
	}
	turned := func(a *Array, on bool) *Array {
		s := slices.Clone(a.Shape)
		if n := len(s); on && n > 1 {
			s[n-1], s[n-2] = s[n-2], s[n-1]
		}
		return Unknown(a.Type, s...)
	}
	return one(multiply(turned(c.In[0], c.int("transA", 0) != 0), turned(c.In[1], c.int("transB", 0) != 0)))
}

// fusedGemm is Gemm with an activation, which keeps the shape.
func fusedGemm(c Call) ([]*Array, error) { return gemm(c) }
