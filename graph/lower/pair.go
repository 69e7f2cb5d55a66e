package lower

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/importer"
)

// arithmetic is an operator of two floating-point arguments as r has it, but without an array of the repeated numbers where
// one argument is a known number, a row that goes to each row of the other, or a column that goes to each column: as in
// normalisations, activations and biases.
func arithmetic(name string, r rule) rule {
	return func(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
		if len(in) != 2 || !isFloat(s.Out[0].Array.Type) {
			return r(b, s, in)
		}
		y, err := b.short(name, in[0], in[1], s.Out[0].Array.Size())
		if y == nil && err == nil && (name == "Add" || name == "Mul") {
			y, err = b.short(name, in[1], in[0], s.Out[0].Array.Size())
		}
		if y != nil || err != nil {
			return []*G.Node{y}, err
		}
		return r(b, s, in)
	}
}

// short is x combined with what y repeats, nil where x is no such operand of size elements or y no such number, row or
// column.
func (b *builder) short(name string, x, y *value, size int) (*G.Node, error) {
	if x.Size() != size || len(x.Shape) == 0 || len(y.Shape) > len(x.Shape) || y.Size() == size {
		return nil, nil
	}
	if y.source == importer.Constant && y.Size() == 1 && y.Known() {
		return b.number(name, x, float32(y.At(0)))
	}
	n := x.Shape[len(x.Shape)-1]
	row, column := y.Size() == n, len(y.Shape) == len(x.Shape)
	for i := range y.Shape {
		d := y.Shape[len(y.Shape)-1-i]
		row = row && d == []int{1, n}[b2i(i == 0)]
		column = column && d == []int{x.Shape[len(x.Shape)-1-i], 1}[b2i(i == 0)]
	}
	if !row && !column || name == "Pow" || row && name == "Div" {
		return nil, nil
	}
	rows, err := b.rows(x, size/n, n)
	if err != nil {
		return nil, err
	}
	z, err := b.elements(y)
	if err == nil && name == "Sub" {
		z, err = negated(z)
	}
	if err != nil {
		return nil, err
	}
	if row && name == "Mul" {
		return op.MulRow(rows, z)
	}
	if row {
		return op.AddRow(rows, z)
	}
	if z, err = op.RepeatColumn(z, rows); err != nil {
		return nil, err
	}
	switch name {
	case "Mul":
		return op.Mul(rows, z)
	case "Div":
		return op.Combine(rows, z, kernel.Div)
	}
	return op.Add(rows, z)
}

// number is x combined with a known number, nil where no operator of one argument is as exact.
func (b *builder) number(name string, x *value, c float32) (*G.Node, error) {
	e, err := b.elements(x)
	if err != nil {
		return nil, err
	}
	switch name {
	case "Add":
		return op.Shift(e, c)
	case "Sub":
		return op.Shift(e, -c)
	case "Mul":
		return op.Scale(e, c)
	case "Div":
		if i := 1 / float64(c); math.Abs(i) > 1e-30 && math.Abs(i) < 1e30 { // a normal number, with half a bit of error
			return op.Scale(e, float32(i))
		}
	case "Pow":
		if c == 2 {
			return op.Mul(e, e)
		}
	}
	return nil, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
