package lower

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// scattered is ScatterElements and ScatterND: the places that updates go to are those that GatherElements and GatherND
// would take from.
func scattered(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	data, updates := in[0], in[2]
	if in[1].source == importer.Computed {
		return nil, fmt.Errorf("its indices are computed from weights or floating-point inputs")
	}
	x, err := b.elements(data)
	if err != nil {
		return nil, err
	}
	u, err := b.elements(updates)
	if err != nil {
		return nil, err
	}
	to := places(s, in)
	n, m := data.Size(), updates.Size()
	reduction := "none"
	if a := s.Node.Attribute("reduction"); a != nil {
		reduction = string(a.S)
	}
	var y *G.Node
	switch reduction {
	case "none":
		y, err = b.replaced(x, u, in[1], to)
	case "add":
		y, err = b.added(x, u, in[1], to)
	default:
		if !in[1].Known() {
			return nil, fmt.Errorf("its indices depend on the model's inputs, with the reduction %q", reduction)
		}
		r, ok := map[string]kernel.Reduction{"mul": kernel.Product, "min": kernel.Least, "max": kernel.Greatest}[reduction]
		if !ok {
			return nil, fmt.Errorf("there is no reduction %q", reduction)
		}
		var at []int64
		if at, err = to(nil); err == nil {
			y, err = b.folded(x, u, n, m, at, r)
		}
	}
	return []*G.Node{y}, err
}

// places are the elements of the first input that the updates go to.
func places(s importer.Step, in []*value) func(host map[string]*fold.Array) ([]int64, error) {
	n := &onnx.Node{OpType: "GatherElements", Name: s.Node.Name}
	if s.Node.OpType == "ScatterND" {
		n.OpType = "GatherND"
	} else if a := s.Node.Attribute("axis"); a != nil {
		n.Attributes = []*onnx.Attribute{a}
	}
	return func(host map[string]*fold.Array) ([]int64, error) {
		indices := in[1].Array
		if in[1].source == importer.Host {
			indices = host[in[1].name]
		}
		t := importer.Step{Node: n, Opset: 13}
		at, err := t.Fold([]*fold.Array{numbered(in[0].Shape), indices})
		if err != nil {
			return nil, err
		}
		return at[0].Ints, nil
	}
}

// replaced takes each element of the last update that goes there, or else of x.
func (b *builder) replaced(x, u *G.Node, indices *value, to func(map[string]*fold.Array) ([]int64, error)) (*G.Node, error) {
	n, m := x.Shape()[0], u.Shape()[0]
	all, err := b.behind(x, u)
	if err != nil {
		return nil, err
	}
	from := func(host map[string]*fold.Array) ([]int64, error) {
		at, err := to(host)
		if err != nil {
			return nil, err
		}
		from := make([]int64, n)
		for i := range from {
			from[i] = int64(i)
		}
		for j, i := range at[:m] {
			from[i] = int64(n + j)
		}
		return from, nil
	}
	if indices.source == importer.Host {
		return b.takeLater(all, n, from)
	}
	at, err := from(nil)
	if err != nil {
		return nil, err
	}
	return b.take(all, at)
}

// behind is a vector of several, one after the other.
func (b *builder) behind(parts ...*G.Node) (*G.Node, error) {
	var at []int
	width := 0
	rows := make(G.Nodes, len(parts))
	for i, p := range parts {
		var err error
		if rows[i], err = op.Reshape(p, 1, p.Shape()[0]); err != nil {
			return nil, err
		}
		at, width = append(at, width), width+p.Shape()[0]
	}
	y, err := op.Join(width, at, rows)
	if err != nil {
		return nil, err
	}
	return op.Reshape(y, width)
}

// added is x and all updates that go to its elements.
func (b *builder) added(x, u *G.Node, indices *value, to func(map[string]*fold.Array) ([]int64, error)) (*G.Node, error) {
	n, m := x.Shape()[0], u.Shape()[0]
	index := b.leaf("elements", tensor.Int32, m)
	b.Leaves = append(b.Leaves, Leaf{Node: index, Constant: indices.source == importer.Constant,
		Value: func(host map[string]*fold.Array) (kernel.Tensor, error) {
			at, err := to(host)
			if err != nil {
				return kernel.Tensor{}, err
			}
			return checked(at, n)
		}})
	column, err := op.Reshape(x, n, 1)
	if err != nil {
		return nil, err
	}
	if u, err = op.Reshape(u, m, 1); err != nil {
		return nil, err
	}
	sum, err := op.SumRows(column, index, u)
	if err == nil {
		sum, err = op.Add(column, sum)
	}
	if err != nil {
		return nil, err
	}
	return op.Reshape(sum, n)
}

// folded reduces each element of x with the updates that go there. Rows are filled up with what changes nothing.
func (b *builder) folded(x, u *G.Node, n, m int, to []int64, r kernel.Reduction) (*G.Node, error) {
	rows := make([][]int64, n)
	for i := range rows {
		rows[i] = []int64{int64(i)}
	}
	width := 1
	for j, i := range to[:m] {
		rows[i] = append(rows[i], int64(n+j))
		width = max(width, len(rows[i]))
	}
	if n > maxElements/width {
		return nil, fmt.Errorf("%d updates go to one of %d elements, too many to lay out", width-1, n)
	}
	var from []int64
	for i, row := range rows {
		from = append(from, row...)
		fill := int64(i) // the greatest or least of itself
		if r == kernel.Product {
			fill = int64(n + m)
		}
		from = append(from, slices.Repeat([]int64{fill}, width-len(row))...)
	}
	all, err := b.behind(x, u, b.constants("one", 1))
	if err == nil {
		all, err = b.take(all, from)
	}
	if err == nil {
		all, err = op.Reshape(all, n, width)
	}
	if err != nil {
		return nil, err
	}
	return op.Reduce(all, r)
}
