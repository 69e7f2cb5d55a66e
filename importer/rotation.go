package importer

import (
	"math"
	"math/rand/v2"
)

// near compares in float32's precision, in which the graph computes.
func near(x, y float64) bool { return math.Abs(x-y) <= 4e-6*(1+math.Abs(y)) }

// rotation is a rotary embedding of h heads of d columns, each from one of starts on in a matrix of tokens of some width,
// whose result stands by sequence, head, token and column; by column and token if turned. The first dims columns of a head
// are turned, and all are multiplied by gain.
type rotation struct {
	batch, seq, h, d, width int
	turned                  bool
	starts                  []int

	dims        int
	gain        float64
	interleaved bool
}

// pair are the columns of pair i of a head.
func (g rotation) pair(i int) (a, b int) {
	if g.interleaved {
		return 2 * i, 2*i + 1
	}
	return i, i + g.dims/2
}

// in is the place of an element of the matrix, out that of the result.
func (g rotation) in(b, s, head, j int) int { return (b*g.seq+s)*g.width + g.starts[head] + j }

func (g rotation) out(b, s, head, j int) int {
	if g.turned {
		return ((b*g.h+head)*g.d+j)*g.seq + s
	}
	return ((b*g.h+head)*g.seq+s)*g.d + j
}

// heads calls f for every head of every token.
func (g rotation) heads(f func(b, s, head int)) {
	for b := range g.batch {
		for s := range g.seq {
			for head := range g.h {
				f(b, s, head)
			}
		}
	}
}

// each calls f for every pair.
func (g rotation) each(f func(b, s, head, i int)) {
	g.heads(func(b, s, head int) {
		for i := range g.dims / 2 {
			f(b, s, head, i)
		}
	})
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

// stretch is how much longer the first head is than what it was made of: turning keeps lengths.
func (g rotation) stretch(got, x []float64) float64 {
	var from, to float64
	for j := range g.d {
		p, q := x[g.in(0, 0, 0, j)], got[g.out(0, 0, 0, j)]
		from, to = from+p*p, to+q*q
	}
	return math.Sqrt(to / from)
}

// turnedColumns is the number of a head's columns up to the last one that is not just multiplied by the gain.
func (g rotation) turnedColumns(got, x []float64) int {
	n := 0
	g.heads(func(b, s, head int) {
		for j := n; j < g.d; j++ {
			if !near(got[g.out(b, s, head, j)], g.gain*x[g.in(b, s, head, j)]) {
				n = j + 1
			}
		}
	})
	return n
}

// angles are the cosines and sines of the first head, by sequence, token and pair, as ones are turned by them.
func (g rotation) angles(turned []float64) (cos, sin []float64) {
	half := g.dims / 2
	cos, sin = make([]float64, g.batch*g.seq*half), make([]float64, g.batch*g.seq*half)
	g.each(func(b, s, head, i int) {
		if head == 0 {
			first, second := g.pair(i)
			at := (b*g.seq+s)*half + i
			cos[at], sin[at] = turned[g.out(b, s, head, first)]/g.gain, turned[g.out(b, s, head, second)]/g.gain
		}
	})
	return cos, sin
}

// matches tells whether got is x turned.
func (g rotation) matches(got, x, cos, sin []float64) bool {
	ok := true
	same := func(b, s, head, j int, want float64) {
		ok = ok && near(got[g.out(b, s, head, j)], g.gain*want)
	}
	g.each(func(b, s, head, i int) {
		first, second := g.pair(i)
		p, q := x[g.in(b, s, head, first)], x[g.in(b, s, head, second)]
		at := (b*g.seq+s)*(g.dims/2) + i
		same(b, s, head, first, p*cos[at]-q*sin[at])
		same(b, s, head, second, q*cos[at]+p*sin[at])
	})
	g.heads(func(b, s, head int) {
		for j := g.dims; j < g.d; j++ {
			same(b, s, head, j, x[g.in(b, s, head, j)])
		}
	})
	return ok
}
