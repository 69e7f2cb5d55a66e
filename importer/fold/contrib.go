package fold

import (
	"errors"
	"fmt"
	"math"
)

// The operators of onnxruntime's domain com.microsoft that its optimiser writes, by docs/ContribOperators.md.

func coreGelu(c Call) ([]*Array, error) {
	f := "none"
	if a := c.Node.Attribute("approximate"); a != nil {
		f = string(a.S)
	}
	switch f {
	case "none":
		return unary{f: gelu}.apply(c)
	case "tanh":
		return unary{f: geluTanh}.apply(c)
	}
	return nil, fmt.Errorf("there is no approximation %q", f)
}

func quickGelu(c Call) ([]*Array, error) {
	alpha := c.float("alpha", 1.702)
	return unary{f: func(x float64) float64 { return x / (1 + math.Exp(-alpha*x)) }}.apply(c)
}

func biasGelu(c Call) ([]*Array, error) { return biased(c, gelu) }

func fastGelu(c Call) ([]*Array, error) { return biased(c, geluTanh) }

// biased applies f to the sum of the first input and the second, a vector, if there is one.
func biased(c Call, f func(float64) float64) ([]*Array, error) {
	x := c.In[0]
	if b := c.in(1); b != nil {
		n := len(x.Shape)
		if n == 0 || len(b.Shape) != 1 || b.Shape[0] != x.Shape[n-1] {
			return nil, fmt.Errorf("the bias %v does not fit %v", b, x)
		}
		s, err := binaries["Add"].two(x, b)
		if err != nil {
			return nil, err
		}
		x = s
	}
	return unary{f: f}.apply(Call{Node: c.Node, In: []*Array{x}})
}

// fusedMatMul is MatMul with the last two axes of each side transposed on request, and scaled.
func fusedMatMul(c Call) ([]*Array, error) {
	if c.int("transBatchA", 0) != 0 || c.int("transBatchB", 0) != 0 {
		return nil, fmt.Errorf("transBatchA and transBatchB are not known")
	}
	turned := c.int("transA", 0) != 0 || c.int("transB", 0) != 0
	if vector := len(c.In[0].Shape) == 1 || len(c.In[1].Shape) == 1; vector && turned {
		return nil, errors.New("a vector beside a transposed matrix is not known: onnxruntime reads the matrix untransposed")
	}
	out, err := c.product(c.In[0], c.In[1])
	if err != nil {
		return nil, err
	}
	return one(c.scaled("alpha", out))
}

// fusedGemm is Gemm with an activation behind it, of which it gives the shape alone: recognition reads it.
func fusedGemm(c Call) ([]*Array, error) {
	out, err := gemm(c)
	if err != nil {
		return nil, err
	}
	return []*Array{Unknown(out[0].Type, out[0].Shape...)}, nil
}
