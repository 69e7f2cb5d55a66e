package lower

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/importer"
)

// reduced folds along axes, which are an attribute or an input.
func reduced(f func(x *G.Node) (*G.Node, error), mean bool) rule {
	return func(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
		axes, all, err := reduceAxes(s, in)
		if err != nil {
			return nil, err
		}
		if all {
			if a := s.Node.Attribute("noop_with_empty_axes"); a != nil && a.I != 0 {
				return reshaped(b, s, in)
			}
			for i := range in[0].Shape {
				axes = append(axes, i)
			}
		}
		x, _, n, _, err := b.lastAxes(in[0], axes)
		if err != nil {
			return nil, err
		}
		y, err := f(x)
		if err == nil && mean {
			y, err = op.Scale(y, 1/float32(n))
		}
		return []*G.Node{y}, err
	}
}

// reduceAxes are the axes in rising order; all tells that none is given.
func reduceAxes(s importer.Step, in []*value) (axes []int, all bool, err error) {
	var given []int64
	if len(in) > 1 && in[1] != nil {
		if !in[1].Known() {
			return nil, false, fmt.Errorf("its axes depend on the model's inputs")
		}
		given = in[1].Ints
	} else if a := s.Node.Attribute("axes"); a != nil {
		given = a.Ints
	}
	for _, v := range given {
		if v < 0 {
			v += int64(len(in[0].Shape))
		}
		axes = append(axes, int(v))
	}
	slices.Sort(axes)
	return axes, len(given) == 0, nil
}

// cumulated is CumSum, as a product with a triangular matrix of ones.
func cumulated(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	if !in[1].Known() {
		return nil, fmt.Errorf("its axis depends on the model's inputs")
	}
	axis := int(in[1].Ints[0])
	if axis < 0 {
		axis += len(in[0].Shape)
	}
	x, _, n, back, err := b.lastAxes(in[0], []int{axis})
	if err != nil {
		return nil, err
	}
	on := func(name string) bool { a := s.Node.Attribute(name); return a != nil && a.I != 0 }
	exclusive, reverse := on("exclusive"), on("reverse")
	ones := make([]float32, n*n) // row i goes into column j
	for i := range n {
		for j := range n {
			a, b := i, j
			if reverse {
				a, b = j, i
			}
			if a < b || a == b && !exclusive {
				ones[i*n+j] = 1
			}
		}
	}
	t, err := op.Reshape(b.constants("triangle", ones...), n, n)
	if err != nil {
		return nil, err
	}
	y, err := op.MatMul(x, t, kernel.MatMul{})
	if err == nil {
		y, err = back(y)
	}
	return []*G.Node{y}, err
}

// normalised is Softmax or LogSoftmax along an axis; before opset 13, over all axes from it on.
func normalised(log bool) rule {
	return func(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
		rank := len(in[0].Shape)
		axis := -1
		if s.Opset < 13 {
			axis = 1
		}
		if a := s.Node.Attribute("axis"); a != nil {
			axis = int(a.I)
		}
		if axis < 0 {
			axis += rank
		}
		axes := []int{}
		switch {
		case s.Opset < 13:
			for i := axis; i < rank; i++ {
				axes = append(axes, i)
			}
		case rank > 0:
			axes = append(axes, axis)
		}
		x, _, _, back, err := b.lastAxes(in[0], axes)
		if err != nil {
			return nil, err
		}
		var y *G.Node
		if log {
			y, err = logSoftmax(x)
		} else {
			y, err = op.Softmax(x)
		}
		if err == nil {
			y, err = back(y)
		}
		return []*G.Node{y}, err
	}
}

// logSoftmax is d − log Σ eᵈ for d = x − max x, row by row.
func logSoftmax(x *G.Node) (*G.Node, error) {
	top, err := op.Reduce(x, kernel.Greatest)
	if err != nil {
		return nil, err
	}
	d, err := apart(x, top)
	if err != nil {
		return nil, err
	}
	e, err := op.Exp(d)
	if err == nil {
		e, err = op.RowSum(e)
	}
	if err == nil {
		e, err = op.Map(e, kernel.Log)
	}
	if err != nil {
		return nil, err
	}
	return apart(d, e)
}

// layerNormalised is LayerNormalization from an axis on.
func layerNormalised(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	axis, eps := -1, float32(1e-5)
	if a := s.Node.Attribute("axis"); a != nil {
		axis = int(a.I)
	}
	if a := s.Node.Attribute("epsilon"); a != nil {
		eps = a.F
	}
	if axis < 0 {
		axis += len(in[0].Shape)
	}
	n := product(in[0].Shape[axis:])
	x, err := b.rows(in[0], in[0].Size()/n, n)
	if err != nil {
		return nil, err
	}
	gamma, err := b.broadcast(in[1], in[0].Shape[axis:])
	if err != nil {
		return nil, err
	}
	var beta *G.Node
	if len(in) > 2 && in[2] != nil {
		if beta, err = b.broadcast(in[2], in[0].Shape[axis:]); err != nil {
			return nil, err
		}
	}
	y, err := op.LayerNorm(x, nil, gamma, beta, eps)
	if err != nil || len(s.Out) < 2 {
		return []*G.Node{y}, err
	}
	mean, inverse, err := moments(x, eps)
	return []*G.Node{y, mean, inverse}, err
}

// moments are each row's mean and 1/√(variance + eps).
func moments(x *G.Node, eps float32) (mean, inverse *G.Node, err error) {
	n := 1 / float32(x.Shape()[1])
	average := func(x *G.Node) (*G.Node, error) {
		sum, err := op.RowSum(x)
		if err != nil {
			return nil, err
		}
		return op.Scale(sum, n)
	}
	if mean, err = average(x); err != nil {
		return nil, nil, err
	}
	d, err := apart(x, mean)
	if err == nil {
		d, err = op.Mul(d, d)
	}
	if err == nil {
		d, err = average(d)
	}
	if err == nil {
		d, err = op.Shift(d, eps)
	}
	if err == nil {
		inverse, err = op.InvSqrt(d)
	}
	return mean, inverse, err
}

// byRow reduces each row.
func byRow(f kernel.Reduction) func(x *G.Node) (*G.Node, error) {
	return func(x *G.Node) (*G.Node, error) { return op.Reduce(x, f) }
}

// apart is x − row, which is repeated along each of x's rows.
func apart(x, row *G.Node) (*G.Node, error) {
	all, err := op.RepeatColumn(row, x)
	if err != nil {
		return nil, err
	}
	return subtracted(x, all)
}
