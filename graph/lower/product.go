package lower

import (
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
)

// precise is the precision of a product: float32 where the host computed an operand or the file has it as a constant, whose
// numbers may be positions or angles.
func (b *builder) precise(in []*value) kernel.Precision {
	for _, v := range in[:2] {
		if v.source == importer.Host || v.source == importer.Constant {
			return kernel.Float32
		}
	}
	return b.precision
}

// multiplied is MatMul and com.microsoft's FusedMatMul: numpy's rule, with the last two axes of a side transposed and
// the result scaled where attributes say so.
func multiplied(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	on := func(name string) bool { a := s.Node.Attribute(name); return a != nil && a.I != 0 }
	transA, transB := on("transA") && len(in[0].Shape) > 1, on("transB") && len(in[1].Shape) > 1
	alpha := float32(1)
	if a := s.Node.Attribute("alpha"); a != nil {
		alpha = a.F
	}
	x, y := in[0].Shape, in[1].Shape
	if len(x) == 1 {
		x = []int{1, x[0]}
	}
	if len(y) == 1 {
		y = []int{y[0], 1}
	}
	if len(y) == 2 && !transA { // all rows of x together, by one matrix
		a, turned, err := b.matrix(in[0], product(x[:len(x)-1]), x[len(x)-1])
		if err != nil {
			return nil, err
		}
		w, trans, err := b.matrix(in[1], y[0], y[1])
		if err != nil {
			return nil, err
		}
		p, err := op.MatMul(a, w, kernel.MatMul{TransA: turned, TransB: trans != transB, Alpha: alpha, Precision: b.precise(in)})
		return []*G.Node{p}, err
	}
	batch, err := fold.Broadcast(x[:len(x)-2], y[:len(y)-2])
	if err != nil {
		return nil, err
	}
	side := func(v *value, shape []int) (*G.Node, error) {
		m, k := shape[len(shape)-2], shape[len(shape)-1]
		full := slices.Concat(batch, []int{m, k})
		wide := *v
		wide.Array = fold.Unknown(v.Type, shape...)
		e, err := b.elements(v)
		if err != nil {
			return nil, err
		}
		wide.node = e
		if e, err = b.broadcast(&wide, full); err != nil {
			return nil, err
		}
		return op.Reshape(e, product(batch), m, k)
	}
	p, err := side(in[0], x)
	if err != nil {
		return nil, err
	}
	q, err := side(in[1], y)
	if err != nil {
		return nil, err
	}
	r, err := op.BatchMatMul(p, q, kernel.MatMul{TransA: transA, TransB: transB, Precision: b.precise(in)})
	if err == nil && alpha != 1 {
		r, err = op.Scale(r, alpha)
	}
	return []*G.Node{r}, err
}

// general is Gemm: alpha·op(A)·op(B) + beta·C.
func general(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	on := func(name string) bool { a := s.Node.Attribute(name); return a != nil && a.I != 0 }
	factor := func(name string) float32 {
		if a := s.Node.Attribute(name); a != nil {
			return a.F
		}
		return 1
	}
	x, turned, err := b.matrix(in[0], in[0].Shape[0], in[0].Shape[1])
	if err != nil {
		return nil, err
	}
	w, trans, err := b.matrix(in[1], in[1].Shape[0], in[1].Shape[1])
	if err != nil {
		return nil, err
	}
	y, err := op.MatMul(x, w, kernel.MatMul{TransA: turned != on("transA"), TransB: trans != on("transB"), Precision: b.precise(in)})
	if err != nil {
		return nil, err
	}
	if alpha := factor("alpha"); alpha != 1 { // which may be 0
		if y, err = op.Scale(y, alpha); err != nil {
			return nil, err
		}
	}
	if len(in) > 2 && in[2] != nil {
		c, err := b.broadcast(in[2], s.Out[0].Array.Shape)
		if err == nil && factor("beta") != 1 {
			c, err = op.Scale(c, factor("beta"))
		}
		if err == nil {
			c, err = op.Reshape(c, s.Out[0].Array.Shape...)
		}
		if err == nil {
			y, err = op.Add(y, c)
		}
		if err != nil {
			return nil, err
		}
	}
	return []*G.Node{y}, nil
}
