package importer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// mean recognises the mean of the rows of each sequence's real tokens, however it is written: sums and products with
// values that depend on the mask alone. It is told by computing it for random rows, padding too.
func (r *recogniser) mean(name string, n *onnx.Node) (Value, error) {
	shape := r.s.value(name).Shape
	if len(shape) != 2 || shape[0] != r.s.batch {
		return None, nil
	}
	from, nodes := r.pooledFrom(name)
	width, ok := 0, false
	if from != "" {
		width, ok = r.tokens(from)
	}
	if !ok || width != shape[1] {
		return None, nil
	}
	x := randomRows(r.s.value(from).Shape)
	for trial := range r.s.seq {
		lengths := r.s.lengths(trial)
		memo := r.s.feeds(lengths)
		memo[from] = x
		y, err := r.s.compute(name, memo)
		if err != nil {
			return None, nil // some operator of it has no values on the host
		}
		if !r.isMean(y, x, lengths, width) {
			return None, nil
		}
	}
	v, err := r.value(from)
	if err != nil {
		return None, err
	}
	return r.put(&Mean{Origin: Origin{name, nodes}, X: v})
}

// isMean tells whether y holds the means of the first rows of each sequence in x, as many as it is long.
func (r *recogniser) isMean(y, x *fold.Array, lengths []int, width int) bool {
	for b, n := range lengths {
		for j := range width {
			sum := 0.
			for s := range n {
				sum += x.Floats[(b*r.s.seq+s)*width+j]
			}
			if !near(y.At(b*width+j), sum/float64(n)) {
				return false
			}
		}
	}
	return true
}

// pooledFrom walks back from a value of one row for each sequence through a sum over tokens, moves, and products with what
// no weight enters, to the matrix of tokens that it is computed of; "" where it is computed otherwise.
func (r *recogniser) pooledFrom(name string) (from string, nodes []*onnx.Node) {
	name = r.s.g.resolve(name)
	summed := false
	for len(nodes) < maxChain {
		n := r.s.g.producer(name)
		in, sums := r.linearStep(n)
		if in == "" || summed && sums {
			break
		}
		summed = summed || sums
		nodes = append([]*onnx.Node{n}, nodes...)
		name = in
	}
	if _, ok := r.tokens(name); !ok || !summed {
		return "", nil
	}
	return name, nodes
}

// linearStep is the activation that a node sums, moves or multiplies by what no weight enters.
func (r *recogniser) linearStep(n *onnx.Node) (in string, sums bool) {
	if n == nil || n.Domain != "" || len(n.Outputs) != 1 {
		return "", false
	}
	switch n.OpType {
	case "Mul", "Div", "MatMul":
		a, b := r.s.g.resolve(n.Inputs[0]), r.s.g.resolve(n.Inputs[1])
		if n.OpType != "Div" && !r.active(a) {
			a, b = b, a
		}
		if r.active(a) && r.s.value(b).kind <= index {
			return a, n.OpType == "MatMul"
		}
	case "ReduceSum", "ReduceMean":
		if r.active(n.Inputs[0]) && r.constants(n.Inputs[1:]) {
			return r.s.g.resolve(n.Inputs[0]), true
		}
	}
	if r.moves(n) {
		return r.s.g.resolve(n.Inputs[0]), false
	}
	return "", false
}

// normalised recognises rows divided by their Euclidean norm, or by a small number where that is larger.
func (r *recogniser) normalised(name string, n *onnx.Node) (Value, error) {
	from, by, ok := r.operands(n, "Div")
	if !ok || !r.active(from) || !r.active(by) || !slices.Equal(r.s.value(from).Shape, r.s.value(name).Shape) || !r.madeOf(by, from) {
		return None, nil
	}
	shape := r.s.value(from).Shape
	x := randomRows(shape)
	norms := func(x *fold.Array) (*fold.Array, error) {
		a, err := r.s.compute(by, map[string]*fold.Array{from: x})
		if err == nil {
			a, err = fold.Expand(a, shape)
		}
		return a, err
	}
	got, err := norms(x)
	if err != nil {
		return None, nil // it is computed of something else too
	}
	width := r.width(from)
	for i := range got.Size() {
		sum := 0.
		for _, v := range x.Floats[i/width*width:][:width] {
			sum += v * v
		}
		if !near(got.At(i), math.Sqrt(sum)) {
			return None, nil
		}
	}
	least, err := norms(&fold.Array{Type: x.Type, Shape: shape, Floats: make([]float64, len(x.Floats))})
	if err != nil {
		return None, fmt.Errorf("%v: the norm of zeros: %w", n, err)
	}
	v, err := r.value(from)
	if err != nil {
		return None, err
	}
	return r.put(&Normalise{Origin: Origin{name, []*onnx.Node{n}}, X: v, Eps: float32(least.At(0))})
}

// madeOf tells whether a value is computed from another one and constants alone, in a few nodes.
func (r *recogniser) madeOf(name, from string) bool {
	seen := map[string]bool{from: true}
	var walk func(name string) bool
	walk = func(name string) bool {
		name = r.s.g.resolve(name)
		if name == "" || seen[name] || r.s.value(name).kind == constant {
			return true
		}
		seen[name] = true
		n := r.s.g.producer(name)
		return n != nil && len(seen) <= 16 && !slices.ContainsFunc(n.Inputs, func(in string) bool { return in != "" && !walk(in) })
	}
	return walk(name)
}

// randomRows are random numbers in a shape.
func randomRows(shape []int) *fold.Array {
	rng := rand.New(rand.NewPCG(3, 4))
	x := &fold.Array{Type: onnx.Float, Shape: shape}
	for range fold.Unknown(onnx.Float, shape...).Size() {
		x.Floats = append(x.Floats, float64(float32(rng.NormFloat64())))
	}
	return x
}
