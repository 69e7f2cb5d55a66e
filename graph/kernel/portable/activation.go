package portable

import (
	"math"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// An activation in float64, and its derivative.
type activation struct {
	f, df func(x float64) float64
}

// of returns the functions of f; a switch, since a package-level table would be a variable.
func of(f kernel.Activation) activation {
	switch f {
	case kernel.GELU:
		return activation{gelu, geluSlope}
	case kernel.GELUTanh:
		return activation{geluTanh, geluTanhSlope}
	case kernel.SiLU:
		return activation{silu, siluSlope}
	case kernel.Tanh:
		return activation{math.Tanh, tanhSlope}
	default:
		return activation{relu, reluSlope}
	}
}

// Activate implements kernel.Kernels.
func (*kernels) Activate(out, x kernel.Tensor, f kernel.Activation) {
	g := of(f).f
	for i, v := range x.F32 {
		out.F32[i] = float32(g(float64(v)))
	}
}

// ActivateGrad implements kernel.Kernels.
func (*kernels) ActivateGrad(dx, x, dy kernel.Tensor, f kernel.Activation) {
	g := of(f).df
	for i, v := range x.F32 {
		dx.F32[i] = dy.F32[i] * float32(g(float64(v)))
	}
}

// gelu is x·Φ(x).
func gelu(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }

// geluSlope is Φ(x) + x·φ(x).
func geluSlope(x float64) float64 {
	return math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

const (
	geluTanhScale = 1.5957691216057308 // 2·√(2/π)
	geluTanhCube  = 0.044715
)

// geluTanh is x/2·(1 + tanh(s)) = x·σ(2s) with s = √(2/π)·(x + 0.044715x³).
func geluTanh(x float64) float64 { return x * sigmoid(geluTanhScale*(x+geluTanhCube*x*x*x)) }

// geluTanhSlope is σ(2s) + x·σ(2s)·σ(−2s)·2s′.
func geluTanhSlope(x float64) float64 {
	s := geluTanhScale * (x + geluTanhCube*x*x*x)
	return sigmoid(s) + x*sigmoid(s)*sigmoid(-s)*geluTanhScale*(1+3*geluTanhCube*x*x)
}

// relu is max(x, 0), and NaN where x is.
func relu(x float64) float64 {
	if x < 0 {
		return 0
	}
	return x
}

// reluSlope is 1 above zero and 0 elsewhere, NaN where x is.
func reluSlope(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x <= 0:
		return 0
	}
	return x
}

// silu is x·σ(x).
func silu(x float64) float64 { return x * sigmoid(x) }

// siluSlope is σ(x)·(1 + x·σ(−x)).
func siluSlope(x float64) float64 { return sigmoid(x) * (1 + x*sigmoid(-x)) }

// tanhSlope is 1 − tanh²(x).
func tanhSlope(x float64) float64 {
	h := math.Tanh(x)
	return 1 - h*h
}

// sigmoid is σ(x) = 1/(1 + e⁻ˣ); where e⁻ˣ overflows it is zero.
func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
