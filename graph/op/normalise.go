package op

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Normalise is y = x / max(‖x‖, eps) over each row of x [T,n], with the Euclidean norm. It is built of other operators,
// and so are its derivatives.
func Normalise(x *G.Node, eps float32) (*G.Node, error) {
	var e parts
	square := e.rowSum(e.mul(x, x))
	least := e.shift(e.scale(square, 0), eps*eps)
	inverse := e.of(func() (*G.Node, error) { return InvSqrt(e.combine(square, least, kernel.Max)) })
	y := e.mul(x, e.repeatColumn(inverse, x))
	return y, e.err
}

// Mean is the mean of those rows of x [T,n] whose index is r, for each r: index int32 [T] as of SumBy, shares [R] one over
// the number of rows of each, y [R,n].
func Mean(x, index, shares *G.Node) (*G.Node, error) {
	var e parts
	sum := e.of(func() (*G.Node, error) { return SumBy(x, index, shares) })
	y := e.mul(sum, e.repeatColumn(shares, sum))
	return y, e.err
}
