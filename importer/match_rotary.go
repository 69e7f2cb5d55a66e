package importer

import (
	"fmt"
	"math"
	"math/rand/v2"
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
// columns that rotary embeddings turn, and returns what adds the operation. It tries what rotary embeddings there are,
// taking the angles from a matrix of ones in the first column of each pair, and comparing on random numbers.
func (r *recogniser) turnedHeads(x heads, h, d int, turned bool) (func() (Value, error), error) {
	t := x.turn
	width, ok := r.tokens(t.from)
	if !ok || width%(h*d) != 0 || d%2 != 0 {
		return nil, nil
	}
	factors, memo := map[string]*fold.Array{}, r.s.feeds(slices.Repeat([]int{r.s.seq}, r.s.batch))
	for _, f := range t.factors {
		a, err := r.s.compute(f, memo)
		if err != nil {
			return nil, err
		}
		factors[f] = a
	}
	value := func(m []float64) ([]float64, error) {
		a, err := r.apply(t, m, factors, x.from)
		if err == nil {
			a, err = r.run(x.moves(), a)
		}
		if err != nil {
			return nil, err
		}
		if len(a.Floats) != r.s.batch*h*r.s.seq*d {
			return nil, fmt.Errorf("%q does not give %d heads of %d", x.from, h, d)
		}
		return a.Floats, nil
	}
	for from := 0; from < width; from += h * d {
		for _, interleaved := range []bool{false, true} {
			g := rotation{r.s.batch, r.s.seq, h, d, width, from, interleaved, turned}
			angles, err := value(g.ones())
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(angles, func(v float64) bool { return v != 0 }) {
				break // other columns
			}
			cos, sin := g.angles(angles)
			random := g.random()
			got, err := value(random)
			if err != nil {
				return nil, err
			}
			if g.matches(got, random, cos, sin) {
				return func() (Value, error) { return r.rotary(x, g, cos, sin, factors) }, nil
			}
		}
	}
	return nil, nil
}

// rotary adds a rotary embedding whose angles at the probe are known.
func (r *recogniser) rotary(x heads, g rotation, cos, sin []float64, factors map[string]*fold.Array) (Value, error) {
	key := fmt.Sprintf("%s\x00rotary %d %d", x.from, g.from, g.h)
	if v, ok := r.memo[key]; ok {
		return v, nil
	}
	o := &Rotary{Origin: Origin{x.from, x.turn.nodes}, Heads: g.h, Interleaved: g.interleaved}
	var negated bool
	var err error
	if o.Cos, negated, err = r.angleTable(x.turn.factors, factors, cos, g); err == nil && negated {
		err = fmt.Errorf("the cosines are negated")
	}
	if err != nil {
		return None, fmt.Errorf("%q: the cosines of its rotary embedding: %w", x.from, err)
	}
	if o.Sin, o.Inverse, err = r.angleTable(x.turn.factors, factors, sin, g); err != nil {
		return None, fmt.Errorf("%q: the sines of its rotary embedding: %w", x.from, err)
	}
	turns := func(n *onnx.Node) bool { return !r.moves(n) }
	nodes := slices.DeleteFunc(slices.Clone(x.turn.nodes), turns)
	if o.X, err = r.columns(x.turn.from, g.from, g.h*g.d, nodes); err != nil {
		return None, err
	}
	v, err := r.put(o)
	r.memo[key] = v
	return v, err
}

// angleTable finds the factor that holds the cosines or sines, perhaps negated.
func (r *recogniser) angleTable(names []string, factors map[string]*fold.Array, want []float64, g rotation) (i int,
	negated bool, err error) {
	for _, name := range names {
		a := factors[name]
		for _, width := range []int{g.d, g.d / 2} {
			if len(a.Floats) != g.seq*width && len(a.Floats) != g.batch*g.seq*width {
				continue
			}
			pick := make([]int, g.d/2)
			for i := range pick {
				if pick[i] = i; g.interleaved && width == g.d {
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
				i, err := r.table(name, pick)
				return i, !same, err
			}
		}
	}
	return 0, false, fmt.Errorf("none of %d factors holds them", len(names))
}

// near compares in float32's precision, in which the graph computes.
func near(x, y float64) bool { return math.Abs(x-y) <= 4e-6*(1+math.Abs(y)) }

// rotation is a rotary embedding of h heads of d columns, from column from on of a matrix of tokens of some width, whose
// result stands by sequence, head, token and column; by column and token if turned.
type rotation struct {
	batch, seq, h, d, width, from int
	interleaved, turned           bool
}

// pair are the columns of pair i of a head.
func (g rotation) pair(i int) (a, b int) {
	if g.interleaved {
		return 2 * i, 2*i + 1
	}
	return i, i + g.d/2
}

// in is the place of an element of the matrix, out that of the result.
func (g rotation) in(b, s, head, j int) int { return (b*g.seq+s)*g.width + g.from + head*g.d + j }

func (g rotation) out(b, s, head, j int) int {
	if g.turned {
		return ((b*g.h+head)*g.d+j)*g.seq + s
	}
	return ((b*g.h+head)*g.seq+s)*g.d + j
}

// each calls f for every pair.
func (g rotation) each(f func(b, s, head, i int)) {
	for b := range g.batch {
		for s := range g.seq {
			for head := range g.h {
				for i := range g.d / 2 {
					f(b, s, head, i)
				}
			}
		}
	}
}

// ones has a one in the first column of each pair.
func (g rotation) ones() []float64 {
	x := make([]float64, g.batch*g.seq*g.width)
	g.each(func(b, s, head, i int) {
		first, _ := g.pair(i)
		x[g.in(b, s, head, first)] = 1
	})
	return x
}

// random has a random number in every column.
func (g rotation) random() []float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, g.batch*g.seq*g.width)
	for i := range x {
		x[i] = float64(float32(rng.NormFloat64()))
	}
	return x
}

// angles are the cosines and sines of the first head, by sequence, token and pair, as ones are turned by them.
func (g rotation) angles(turned []float64) (cos, sin []float64) {
	cos, sin = make([]float64, g.batch*g.seq*g.d/2), make([]float64, g.batch*g.seq*g.d/2)
	g.each(func(b, s, head, i int) {
		if head == 0 {
			first, second := g.pair(i)
			at := (b*g.seq+s)*g.d/2 + i
			cos[at], sin[at] = turned[g.out(b, s, head, first)], turned[g.out(b, s, head, second)]
		}
	})
	return cos, sin
}

// matches tells whether got is x turned.
func (g rotation) matches(got, x, cos, sin []float64) bool {
	ok := true
	g.each(func(b, s, head, i int) {
		first, second := g.pair(i)
		p, q := x[g.in(b, s, head, first)], x[g.in(b, s, head, second)]
		c, w := cos[(b*g.seq+s)*g.d/2+i], sin[(b*g.seq+s)*g.d/2+i]
		ok = ok && near(got[g.out(b, s, head, first)], p*c-q*w) && near(got[g.out(b, s, head, second)], q*c+p*w)
	})
	return ok
}
