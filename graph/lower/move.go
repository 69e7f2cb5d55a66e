package lower

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/op"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
)

// moved lets the first input through an operator that only moves elements: where each one comes from is found by
// applying the operator to their numbers.
func moved(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	x, err := b.elements(in[0])
	if err != nil {
		return nil, err
	}
	from := func(host map[string]*fold.Array) ([]*fold.Array, error) {
		args := make([]*fold.Array, len(in))
		for i, v := range in {
			switch {
			case v == nil:
			case i == 0:
				args[i] = numbered(v.Shape)
			case v.source == importer.Host && host != nil:
				args[i] = host[v.name]
			default:
				args[i] = v.Array
			}
		}
		return s.Fold(args)
	}
	maps, err := from(nil)
	if err != nil {
		return nil, err
	}
	out := make([]*G.Node, len(maps))
	for i, m := range maps {
		if i >= len(s.Out) || s.Out[i].Source == importer.Absent {
			continue
		}
		if m.Known() {
			out[i], err = b.take(x, m.Ints)
		} else {
			out[i], err = b.takeLater(x, m.Size(), func(host map[string]*fold.Array) ([]int64, error) {
				maps, err := from(host)
				if err != nil {
					return nil, err
				}
				return maps[i].Ints, nil
			})
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// numbered is an array of the numbers of its elements, unknown where those are too many to look at.
func numbered(shape []int) *fold.Array {
	x := make([]int64, product(shape))
	for i := range x {
		x[i] = int64(i)
	}
	return fold.Ints(x, shape...)
}

// reshaped lets the first input through an operator that keeps all elements in their order.
func reshaped(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	x, err := b.elements(in[0])
	return []*G.Node{x}, err
}

// take is y[i] = x[from[i]], element by element. Runs of elements that stay together are moved as one.
func (b *builder) take(x *G.Node, from []int64) (*G.Node, error) {
	n := x.Shape()[0]
	w := run(from, n)
	if w == n && len(from) == n {
		return x, nil
	}
	index := make([]int32, len(from)/w)
	for i := range index {
		r := from[i*w] / int64(w)
		if r < 0 || r > math.MaxInt32 {
			return nil, fmt.Errorf("element %d is out of range", from[i*w])
		}
		index[i] = int32(r)
	}
	rows, err := op.Reshape(x, n/w, w)
	if err != nil {
		return nil, err
	}
	y, err := op.Rows(rows, b.index("rows", index))
	if err != nil {
		return nil, err
	}
	return op.Reshape(y, len(from))
}

// run is the largest w for which from, of n elements, is made of aligned runs of w elements.
func run(from []int64, n int) int {
	w := gcd(n, len(from))
	for i, v := range from {
		if i == 0 || v != from[i-1]+1 {
			w = gcd(gcd(w, i), int(v))
		}
	}
	return w
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// takeLater is take where the batch decides.
func (b *builder) takeLater(x *G.Node, size int, from func(host map[string]*fold.Array) ([]int64, error)) (*G.Node, error) {
	index := b.leaf("elements", tensor.Int32, size)
	n := x.Shape()[0]
	b.Leaves = append(b.Leaves, Leaf{Node: index, Value: func(host map[string]*fold.Array) (kernel.Tensor, error) {
		x, err := from(host)
		if err != nil {
			return kernel.Tensor{}, err
		}
		return checked(x, n)
	}})
	rows, err := op.Reshape(x, n, 1)
	if err != nil {
		return nil, err
	}
	y, err := op.Rows(rows, index)
	if err != nil {
		return nil, err
	}
	return op.Reshape(y, size)
}

// checked are indices below n.
func checked(x []int64, n int) (kernel.Tensor, error) {
	out := make([]int32, len(x))
	for i, v := range x {
		if v < 0 {
			v += int64(n)
		}
		if v < 0 || v >= int64(n) || v > math.MaxInt32 {
			return kernel.Tensor{}, fmt.Errorf("the index %d is outside of %d", x[i], n)
		}
		out[i] = int32(v)
	}
	return kernel.I32(out, len(out)), nil
}

// transposed is Transpose.
func transposed(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	x, err := b.elements(in[0])
	if err != nil {
		return nil, err
	}
	var perm []int
	for i := range in[0].Shape {
		perm = append(perm, len(in[0].Shape)-1-i)
	}
	if a := s.Node.Attribute("perm"); a != nil {
		for i, p := range a.Ints {
			perm[i] = int(p)
		}
	}
	y, err := b.permute(x, in[0].Shape, perm)
	return []*G.Node{y}, err
}

// permute moves the axes of x, which has a shape: axis i of the result is axis perm[i] of x.
func (b *builder) permute(x *G.Node, shape, perm []int) (*G.Node, error) {
	if merged, order := mergedAxes(shape, perm); len(order) <= 1 {
		return x, nil
	} else if len(order) <= kernel.Axes {
		return op.Permute(x, merged, order)
	}
	step := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		step[i] = n
		n *= shape[i]
	}
	from := make([]int64, n)
	at := make([]int, len(shape))
	for i := range from {
		for k, p := range perm {
			from[i] += int64(at[k] * step[p])
		}
		for k := len(perm) - 1; k >= 0; k-- {
			if at[k]++; at[k] < shape[perm[k]] {
				break
			}
			at[k] = 0
		}
	}
	return b.take(x, from)
}

// mergedAxes is a permutation of axes with those left out that have one place, and those taken as one that stay together.
func mergedAxes(shape, perm []int) (merged, order []int) {
	axis := make([]int, len(shape)) // of the merged shape
	last := -1
	for _, p := range perm {
		if shape[p] == 1 {
			continue
		}
		if last < 0 || slices.ContainsFunc(shape[min(last+1, p):p], func(d int) bool { return d != 1 }) || p < last {
			order = append(order, p)
			axis[p] = shape[p]
		} else {
			axis[order[len(order)-1]] *= shape[p]
		}
		last = p
	}
	place := slices.Clone(order)
	slices.Sort(place)
	for _, p := range place {
		merged = append(merged, axis[p])
	}
	for i, p := range order {
		order[i] = slices.Index(place, p)
	}
	return merged, order
}

// broadcast repeats a value to a shape.
func (b *builder) broadcast(v *value, shape []int) (*G.Node, error) {
	x, err := b.elements(v)
	if err != nil || v.Size() == product(shape) {
		return x, err
	}
	m, err := fold.Expand(numbered(v.Shape), shape)
	if err != nil {
		return nil, err
	}
	return b.take(x, m.Ints)
}

// lastAxes moves the given axes behind the others: [m, n] with the chosen ones in n. back undoes it.
func (b *builder) lastAxes(v *value, axes []int) (x *G.Node, m, n int, back func(*G.Node) (*G.Node, error), err error) {
	e, err := b.elements(v)
	if err != nil {
		return nil, 0, 0, nil, err
	}
	var perm []int
	for i := range v.Shape {
		if !slices.Contains(axes, i) {
			perm = append(perm, i)
		}
	}
	m, n = 1, 1
	for _, i := range perm {
		m *= v.Shape[i]
	}
	for _, i := range axes {
		n *= v.Shape[i]
	}
	perm = append(perm, axes...)
	if e, err = b.permute(e, v.Shape, perm); err != nil {
		return nil, 0, 0, nil, err
	}
	turned, inverse := make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		turned[i], inverse[p] = v.Shape[p], i
	}
	back = func(y *G.Node) (*G.Node, error) {
		y, err := op.Reshape(y, m*n)
		if err != nil {
			return nil, err
		}
		return b.permute(y, turned, inverse)
	}
	x, err = op.Reshape(e, m, n)
	return x, m, n, back, err
}

// gathered is Gather: rows along an axis, which the batch may choose.
func gathered(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	data, indices := in[0], in[1]
	if indices.source == importer.Computed {
		return nil, fmt.Errorf("its indices are computed from weights or floating-point inputs")
	}
	axis := 0
	if a := s.Node.Attribute("axis"); a != nil {
		axis = int(a.I)
	}
	if axis < 0 {
		axis += len(data.Shape)
	}
	outer, d, inner := product(data.Shape[:axis]), data.Shape[axis], product(data.Shape[axis+1:])
	x, trans, err := b.matrix(data, outer*d, inner)
	if err == nil && trans {
		x, err = b.rows(data, outer*d, inner)
	}
	if err != nil {
		return nil, err
	}
	size := indices.Size()
	index := b.leaf("rows", tensor.Int32, outer*size)
	b.Leaves = append(b.Leaves, Leaf{Node: index, Constant: indices.source == importer.Constant,
		Value: func(host map[string]*fold.Array) (kernel.Tensor, error) {
			a := indices.Array
			if indices.source == importer.Host {
				a = host[indices.name]
			}
			rows, err := checked(a.Ints, d)
			if err != nil {
				return rows, fmt.Errorf("%v: %w", s.Node, err)
			}
			all := make([]int32, 0, outer*size)
			for o := range outer {
				for _, r := range rows.I32 {
					all = append(all, int32(o*d)+r)
				}
			}
			return kernel.I32(all, len(all)), nil
		}})
	if data.weight != nil && x == data.weight { // whose gradient is that of the rows that were looked up
		y, err := op.Embed(G.Nodes{x}, G.Nodes{index})
		return []*G.Node{y}, err
	}
	y, err := op.Rows(x, index)
	return []*G.Node{y}, err
}

// joined is Concat.
func joined(b *builder, s importer.Step, in []*value) ([]*G.Node, error) {
	shape := s.Out[0].Array.Shape
	axis := int(s.Node.Attribute("axis").I)
	if axis < 0 {
		axis += len(shape)
	}
	outer := product(shape[:axis])
	var parts G.Nodes
	var at []int
	width := 0
	for _, v := range in {
		if v.Size() == 0 {
			continue
		}
		x, err := b.rows(v, outer, v.Size()/outer)
		if err != nil {
			return nil, err
		}
		parts, at = append(parts, x), append(at, width)
		width += x.Shape()[1]
	}
	y, err := op.Join(width, at, parts)
	return []*G.Node{y}, err
}
