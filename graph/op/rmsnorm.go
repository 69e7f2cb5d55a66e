package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// RMSNorm is y = z / √(mean(z²) + eps) ⊙ gamma + beta over each row of z = x + residual (Zhang and Sennrich 2019): x and
// residual [T,H], gamma and beta [H]. residual and beta may be nil. It is built of other operators, and so are its
// derivatives.
func RMSNorm(x, residual, gamma, beta *G.Node, eps float32) (*G.Node, error) {
	if s := x.Shape(); len(s) != 2 || s[1] == 0 {
		return nil, fmt.Errorf("RMSNorm of the shape %v, want rows", s)
	}
	var e parts
	z := x
	if residual != nil {
		z = e.add(x, residual)
	}
	square := e.scale(e.rowSum(e.mul(z, z)), 1/float32(x.Shape()[1]))
	inverse := e.shift(square, eps)
	inverse = e.of(func() (*G.Node, error) { return InvSqrt(inverse) })
	y := e.of(func() (*G.Node, error) { return MulRow(e.mul(z, e.repeatColumn(inverse, z)), gamma) })
	if beta != nil {
		y = e.of(func() (*G.Node, error) { return AddRow(y, beta) })
	}
	return y, e.err
}
