package kerneltest

import (
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// backward is the reference of AttentionGrad: with P the probabilities and A = dy·vᵀ,
//
//	dv = Pᵀ·dy;  dS = scale·P ⊙ (A − rowsum(P ⊙ A));  dq = dS·k;  dk = dSᵀ·q
//
// out is [3,T,Heads·d], followed by the gradient of the bias, Σ dS/scale by distance, where there is one. The tolerances
// carry the relative error of P (see probabilities), d+1 roundings of A, and one rounding for each term of each sum, through
// the magnitudes of the terms; and that of P and dS where they are multiplied.
func (c heads) backward(q, k, v, dy []float64, scale float64) (out, tol []float64) {
	n := len(q)
	out, tol = make([]float64, 3*n+len(c.bias)), make([]float64, 3*n+len(c.bias))
	c.each(func(lo, hi, col int) {
		for t := lo; t < hi; t++ {
			p, err := c.probabilities(q, k, t, lo, hi, col, scale)
			a, magnitude := make([]float64, len(p)), make([]float64, len(p))
			var mean, meanMagnitude float64
			for j := range p {
				for x := range c.d {
					y := dy[c.at(t, col+x)] * v[c.at(lo+j, col+x)]
					a[j] += y
					magnitude[j] += math.Abs(y)
				}
				mean += p[j] * a[j]
				meanMagnitude += p[j] * magnitude[j]
			}
			err += float64(2*len(p)+c.d+8) * u
			for j := range p {
				ds := scale * p[j] * (a[j] - mean)
				bound := math.Abs(scale) * p[j] * (magnitude[j] + meanMagnitude) * 2 * err
				if c.biased { // a sum of up to T terms
					at := 3*n + (lo+j-t+c.reach()-1)*c.heads + col/c.d
					out[at] += ds / scale
					tol[at] += bound/math.Abs(scale) + math.Abs(ds/scale)*float64(c.rows())*u
				}
				bound += c.rounding() * math.Abs(ds)
				for x := range c.d {
					at, from := c.at(t, col+x), c.at(lo+j, col+x)
					out[at] += ds * k[from]
					tol[at] += bound * math.Abs(k[from])
					out[n+from] += ds * q[at]
					tol[n+from] += bound * math.Abs(q[at])
					out[2*n+from] += p[j] * dy[at]
					tol[2*n+from] += (err + c.rounding()) * p[j] * math.Abs(dy[at])
				}
			}
		}
	})
	for i := range tol {
		tol[i] += 1e-35
	}
	return out, tol
}

// AttentionGrad checks the three gradients against the formulas, the formulas against finite differences, and that a
// NaN in any operand comes out.
func AttentionGrad(t *testing.T, open Open) { attentionGrad(t, open, kernel.Float32) }

// AttentionGradBFloat16 does the same at BFloat16.
func AttentionGradBFloat16(t *testing.T, open Open) { attentionGrad(t, open, kernel.BFloat16) }

func attentionGrad(t *testing.T, open Open, precision kernel.Precision) {
	for i, c := range attentions() {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		c.precision = precision
		c.draw(r)
		width := c.heads * c.d
		n := c.rows() * width
		operands := [4][]float32{c.operand(r), c.operand(r), c.operand(r), c.operand(r)} // q, k, v, dy
		scale := float32(1 / math.Sqrt(float64(c.d)))
		want, tol := c.backward(wide(operands[0]), wide(operands[1]), wide(operands[2]), wide(operands[3]), float64(scale))
		if n <= 1000 {
			for which := range 3 {
				at := [3][]float64{wide(operands[0]), wide(operands[1]), wide(operands[2])}
				numeric := central(func([]float64) float64 {
					out, _ := c.forward(at[0], at[1], at[2], float64(scale))
					return dot(operands[3], out)
				}, at[which])
				for j, v := range numeric {
					if g := want[which*n+j]; math.Abs(v-g) > 1e-7*(1+math.Abs(g)) {
						t.Fatalf("%+v: the reference's gradient %d is %g at %d, by differences %g", c, which, g, j, v)
					}
				}
			}
		}
		if c.biased && n <= 1000 {
			at := wide(c.bias)
			numeric := central(func(x []float64) float64 {
				moved := c
				moved.exact = x
				out, _ := moved.forward(wide(operands[0]), wide(operands[1]), wide(operands[2]), float64(scale))
				return dot(operands[3], out)
			}, at)
			for j, v := range numeric {
				if g := want[3*n+j]; math.Abs(v-g) > 1e-7*(1+math.Abs(g)) {
					t.Fatalf("%+v: the reference's gradient of the bias is %g at %d, by differences %g", c, g, j, v)
				}
			}
		}
		run := func() []float32 {
			var in [4]kernel.Tensor
			for j, x := range operands {
				in[j] = r.input(x, c.rows(), width)
			}
			bounds, o := r.index(c.bounds(), len(c.lengths)+1), c.options(r, scale)
			return r.fresh(len(want), func(k kernel.Kernels, out []float32) {
				k.AttentionGrad(kernel.F32(out[:3*n], 3, c.rows(), width), in[0], in[1], in[2], bounds, in[3], o)
				if c.biased {
					k.AttentionBiasGrad(kernel.F32(out[3*n:], 2*c.reach()-1, c.heads), in[0], in[1], in[2], bounds, in[3], o)
				}
			})
		}
		within(t, run(), want, tol)
		if len(c.lengths) > 0 && n < 1e4 && c.window == 0 && !c.biased {
			for which := range operands {
				at := c.at(c.start, 0)
				was := operands[which][at]
				operands[which][at] = float32(math.NaN())
				got := run()
				// Row start's own gradient, of what the NaN was multiplied with.
				if grad := [4]int{1, 0, 0, 2}[which]; !math.IsNaN(float64(got[grad*n+at])) {
					t.Errorf("a NaN in operand %d leaves gradient %d at %g", which, grad, got[grad*n+at])
				}
				// What it did not meet: the rows outside the sequence and the other heads.
				end := int(c.bounds()[1])
				for j, x := range got {
					row, col := j%n/width, j%width
					if (col >= c.d || row < c.start || row >= end) && math.IsNaN(float64(x)) {
						t.Fatalf("a NaN in operand %d reached row %d, column %d", which, row, col)
					}
				}
				operands[which][at] = was
			}
		}
		if t.Failed() {
			t.Fatalf("%+v", c)
		}
	}
}
