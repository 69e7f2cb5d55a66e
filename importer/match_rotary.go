package importer

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// turn is a rotary embedding as found in the graph: nodes that compute a linear function of the rows of a matrix of
// tokens, whose coefficients depend on positions alone.
type turn struct {
	from    string // the matrix of tokens
	nodes   []*onnx.Node
	factors []string // the positional values that it multiplies by
}

// turnOf walks back from a value to the matrix of tokens that it is a linear function of; nil where nothing positional is
// multiplied with, or it is no such function of one matrix.
func (r *recogniser) turnOf(name string) *turn {
	t := &turn{}
	seen := map[string]bool{}
	var walk func(name string) bool
	walk = func(name string) bool {
		name = r.s.g.resolve(name)
		if seen[name] || name == t.from {
			return true
		}
		n := r.s.g.producer(name)
		operands, factor := r.linearIn(n)
		if operands == nil {
			if t.from != "" {
				return false
			}
			t.from = name
			return true
		}
		seen[name] = true
		if len(seen) > maxChain {
			return false
		}
		for _, in := range operands {
			if !walk(in) {
				return false
			}
		}
		if factor != "" && !slices.Contains(t.factors, factor) {
			t.factors = append(t.factors, factor)
		}
		if !slices.Contains(t.nodes, n) {
			t.nodes = append(t.nodes, n)
		}
		return true
	}
	if !walk(name) || len(t.factors) == 0 {
		return nil
	}
	return t
}

// linearIn lists the activations that a node's result is linear in, with the positional value that it multiplies by; nil
// where it is not, or where they are more than moves, sums and such products.
func (r *recogniser) linearIn(n *onnx.Node) (operands []string, factor string) {
	if n == nil || n.Domain != "" {
		return nil, ""
	}
	varying := func(name string) bool { return r.active(name) && !r.isPositional(name) }
	switch n.OpType {
	case "Neg", "Concat", "Add", "Sub":
		for _, in := range n.Inputs {
			if !varying(in) {
				return nil, ""
			}
		}
		return n.Inputs, ""
	case "Mul":
		a, b := n.Inputs[0], n.Inputs[1]
		if !varying(a) {
			a, b = b, a
		}
		if !varying(a) || !r.isPositional(b) {
			return nil, ""
		}
		return []string{a}, r.s.g.resolve(b)
	}
	if r.moves(n) {
		return n.Inputs[:1], ""
	}
	return nil, ""
}

// apply computes a value as the function of the elements of the matrix of tokens.
func (r *recogniser) apply(t *turn, x []float64, factors map[string]*fold.Array, name string) (*fold.Array, error) {
	from := r.s.value(t.from)
	memo := map[string]*fold.Array{t.from: {Type: from.Type, Shape: from.Shape, Floats: x}}
	for name, a := range factors {
		memo[name] = a
	}
	var eval func(name string) (*fold.Array, error)
	eval = func(name string) (*fold.Array, error) {
		name = r.s.g.resolve(name)
		if a := memo[name]; a != nil {
			return a, nil
		}
		if v := r.s.values[name]; v.kind == constant {
			return v.Array, nil
		}
		n := r.s.g.producer(name)
		in := make([]*fold.Array, len(n.Inputs))
		for i, x := range n.Inputs {
			if x == "" {
				continue
			}
			var err error
			if in[i], err = eval(x); err != nil {
				return nil, err
			}
		}
		f, err := r.s.g.function(n)
		if err != nil {
			return nil, err
		}
		out, err := f(fold.Call{Node: n, In: in})
		if err != nil {
			return nil, r.s.errorf(n, "%w", err)
		}
		for i, o := range n.Outputs {
			if o != "" && i < len(out) {
				memo[o] = out[i]
			}
		}
		return memo[name], nil
	}
	return eval(name)
}

// turnedHeads tells whether an operand of attention, behind a turn, is its matrix of tokens split into h heads of d
// columns, of which rotary embeddings turn the first ones, and returns what adds the operation. It tries what rotary
// embeddings there are, taking the angles from a matrix of ones in the first column of each pair, and comparing on random
// numbers.
func (r *recogniser) turnedHeads(x *heads, h, d int, turned bool) (func() (Value, error), error) {
	width, ok := r.tokens(x.turn.from)
	if !ok || width%d != 0 || d%2 != 0 {
		return nil, nil
	}
	t := &turning{r: r, x: x, g: rotation{batch: r.s.batch, seq: r.s.seq, h: h, d: d, width: width, turned: turned},
		factors: map[string]*fold.Array{}}
	memo := r.s.feeds(slices.Repeat([]int{r.s.seq}, r.s.batch))
	for _, f := range x.turn.factors {
		a, err := r.s.compute(f, memo)
		if err != nil {
			return nil, err
		}
		t.factors[f] = a
	}
	if ok, err := t.findHeads(); err != nil || !ok {
		return nil, err
	}
	random := t.g.random()
	got, err := t.apply(random)
	if err != nil {
		return nil, err
	}
	for _, gain := range []float64{1, t.g.stretch(got, random)} {
		for _, interleaved := range []bool{false, true} {
			g := t.g
			g.interleaved, g.gain = interleaved, gain
			if g.dims = g.turnedColumns(got, random); g.dims < 2 || g.dims%2 != 0 {
				continue
			}
			angles, err := t.apply(g.ones())
			if err != nil {
				return nil, err
			}
			if cos, sin := g.angles(angles); g.matches(got, random, cos, sin) && t.holds(g, cos) {
				x.scale *= gain
				return func() (Value, error) { return t.rotary(g, cos, sin) }, nil
			}
		}
	}
	for _, interleaved := range []bool{false, true} { // whose tables are named in the error
		g := t.g
		g.interleaved, g.gain, g.dims = interleaved, 1, d
		angles, err := t.apply(g.ones())
		if err != nil {
			return nil, err
		}
		if cos, sin := g.angles(angles); g.matches(got, random, cos, sin) {
			return func() (Value, error) { return t.rotary(g, cos, sin) }, nil
		}
	}
	return nil, nil
}

// turning is an operand of attention behind a turn.
type turning struct {
	r       *recogniser
	x       *heads
	g       rotation // as far as it is known
	factors map[string]*fold.Array
}

// apply computes the operand for a matrix of tokens.
func (t *turning) apply(m []float64) ([]float64, error) {
	a, err := t.r.apply(t.x.turn, m, t.factors, t.x.from)
	if err == nil {
		a, err = t.r.run(t.x.moves(), a)
	}
	if err != nil {
		return nil, err
	}
	if len(a.Floats) != t.g.batch*t.g.h*t.g.seq*t.g.d {
		return nil, fmt.Errorf("%q does not give %d heads of %d", t.x.from, t.g.h, t.g.d)
	}
	return a.Floats, nil
}

// findHeads finds the columns that each head is made of, from how much larger it becomes where block c of the matrix's
// columns is multiplied by c + 1. It is a guess that the numbers must bear out.
func (t *turning) findHeads() (bool, error) {
	g := &t.g
	ones := slices.Repeat([]float64{1}, g.batch*g.seq*g.width)
	blocks := make([]float64, len(ones))
	for i := range blocks {
		blocks[i] = float64(i%g.width/g.d + 1)
	}
	one, err := t.apply(ones)
	if err != nil {
		return false, err
	}
	block, err := t.apply(blocks)
	if err != nil {
		return false, err
	}
	for head := range g.h {
		most := g.out(0, 0, head, 0)
		for j := range g.d {
			if k := g.out(0, 0, head, j); math.Abs(one[k]) > math.Abs(one[most]) {
				most = k
			}
		}
		c := math.Round(block[most]/one[most]) - 1
		if !(c >= 0 && c < float64(g.width/g.d)) { // nor is NaN
			return false, nil
		}
		g.starts = append(g.starts, int(c)*g.d)
	}
	return true, nil
}

// holds tells whether one of the factors holds cosines.
func (t *turning) holds(g rotation, cos []float64) bool {
	name, _, _ := t.table(g, cos)
	return name != ""
}

// rotary adds a rotary embedding whose angles at the probe are known: of the heads that there are in the matrix, each
// once.
func (t *turning) rotary(g rotation, cos, sin []float64) (Value, error) {
	r, x := t.r, t.x
	own := slices.Compact(slices.Sorted(slices.Values(g.starts)))
	key := fmt.Sprintf("%s\x00rotary %v", x.from, own)
	v, ok := r.memo[key]
	if !ok {
		o := &Rotary{Origin: Origin{x.from, x.turn.nodes}, Heads: len(own), Interleaved: g.interleaved}
		var negated bool
		var err error
		if o.Cos, negated, err = t.angleTable(g, cos); err == nil && negated {
			err = fmt.Errorf("the cosines are negated")
		}
		if err != nil {
			return None, fmt.Errorf("%q: the cosines of its rotary embedding: %w", x.from, err)
		}
		if o.Sin, o.Inverse, err = t.angleTable(g, sin); err != nil {
			return None, fmt.Errorf("%q: the sines of its rotary embedding: %w", x.from, err)
		}
		turns := func(n *onnx.Node) bool { return !r.moves(n) }
		if o.X, err = r.headColumns(x.turn.from, own, g.dims, slices.DeleteFunc(slices.Clone(x.turn.nodes), turns)); err != nil {
			return None, err
		}
		if v, err = r.put(o); err != nil {
			return None, err
		}
		r.memo[key] = v
	}
	if g.dims == g.d && len(own) == g.h && slices.IsSorted(g.starts) {
		return v, nil
	}
	c := &Concat{Origin: Origin{x.from, nodesOf(x.moves())}}
	for _, start := range g.starts {
		i, _ := slices.BinarySearch(own, start)
		c.Parts = append(c.Parts, Part{v, i * g.dims, g.dims})
		if g.dims < g.d {
			rest, err := r.value(x.turn.from)
			if err != nil {
				return None, err
			}
			c.Parts = append(c.Parts, Part{rest, start + g.dims, g.d - g.dims})
		}
	}
	return r.put(c)
}

// angleTable numbers the factor that holds the cosines or sines, perhaps negated.
func (t *turning) angleTable(g rotation, want []float64) (i int, negated bool, err error) {
	name, pick, negated := t.table(g, want)
	if name == "" {
		return 0, false, fmt.Errorf("none of %d factors holds them", len(t.factors))
	}
	i, err = t.r.table(name, pick)
	return i, negated, err
}

// table finds the factor that holds the cosines or sines, perhaps negated, and which of its columns.
func (t *turning) table(g rotation, want []float64) (name string, pick []int, negated bool) {
	for _, name := range t.x.turn.factors {
		a := t.factors[name]
		for _, width := range []int{g.dims, g.dims / 2} {
			if len(a.Floats) != g.seq*width && len(a.Floats) != g.batch*g.seq*width {
				continue
			}
			pick := make([]int, g.dims/2)
			for i := range pick {
				if pick[i] = i; g.interleaved && width == g.dims {
					pick[i] = 2 * i
				}
			}
			same, opposite := true, true
			for k, w := range want {
				row, i := k/len(pick), k%len(pick) // by sequence, token and pair
				v := a.Floats[(row*width+pick[i])%len(a.Floats)]
				same, opposite = same && near(v, w), opposite && near(-v, w)
			}
			if same || opposite {
				return name, pick, !same
			}
		}
	}
	return "", nil, false
}
