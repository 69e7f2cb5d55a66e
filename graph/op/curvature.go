package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// curvature is f″(x), element by element, in operators that can be differentiated further. It is nil where f is made of
// straight lines.
//
//	gelu       (2 − x²)·φ(x), φ the normal density
//	gelu_tanh  (1 − t²)·(u′ + x/2·u″ − x·t·u′²), t = tanh u, u = √(2/π)·(x + 0.044715x³)
//	relu       0
//	silu       σ(1 − σ)·(2 + x(1 − 2σ)), σ = (1 + tanh(x/2))/2
//	tanh       −2t·(1 − t²), t = tanh x
func (e *parts) curvature(x *G.Node, f kernel.Activation) *G.Node {
	square := func(a *G.Node) *G.Node { return e.mul(a, a) }
	tanh := func(a *G.Node) *G.Node {
		return e.of(func() (*G.Node, error) { return Activate(a, kernel.Tanh) })
	}
	minus := func(c float32, a *G.Node) *G.Node { return e.shift(e.scale(a, -1), c) } // c − a
	switch f {
	case kernel.ReLU:
		return nil
	case kernel.Tanh:
		t := tanh(x)
		return e.mul(e.scale(t, -2), minus(1, square(t)))
	case kernel.GELU:
		density := e.scale(e.exp(e.scale(square(x), -0.5)), float32(1/math.Sqrt(2*math.Pi)))
		return e.mul(minus(2, square(x)), density)
	case kernel.SiLU:
		s := e.shift(e.scale(tanh(e.scale(x, 0.5)), 0.5), 0.5)
		return e.mul(e.mul(s, minus(1, s)), e.shift(e.mul(x, minus(1, e.scale(s, 2))), 2))
	case kernel.GELUTanh:
		a, b := math.Sqrt(2/math.Pi), 0.044715
		u1 := e.shift(e.scale(square(x), float32(3*a*b)), float32(a))
		u2 := e.scale(x, float32(6*a*b))
		t := tanh(e.mul(x, e.shift(e.scale(square(x), float32(a*b)), float32(a))))
		rest := e.sub(e.mul(e.scale(x, 0.5), u2), e.mul(e.mul(x, t), square(u1)))
		return e.mul(minus(1, square(t)), e.add(u1, rest))
	}
	return e.of(func() (*G.Node, error) { return nil, fmt.Errorf("there is no second derivative of %v", f) })
}
