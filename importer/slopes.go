package importer

import (
	"fmt"
	"math"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Slopes are what an attention adds to its scores by the distance of key and query where nothing of it is trained, as
// ALiBi does (Press et al. 2022: −slope·|key − query|, with a slope for each head).
type Slopes struct {
	Heads int

	value byLength
	grown grown[float32]
}

// Rows are what is added at the distances key − query from −(n−1) to n−1: [2n−1, Heads].
func (s *Slopes) Rows(n int) ([]float32, error) {
	data, have, err := s.grown.get(n, s.compute)
	if err != nil {
		return nil, fmt.Errorf("the bias %q of the scores: %w", s.value.value, err)
	}
	return data[(have-n)*s.Heads : (have+n-1)*s.Heads], nil
}

// compute takes the numbers from the graph's value, which is by head (or the same for all), query and key.
func (s *Slopes) compute(n int) ([]float32, error) {
	a, err := s.value.at(n)
	if err != nil {
		return nil, err
	}
	if a, err = fold.Expand(a, []int{1, s.Heads, n, n}); err != nil {
		return nil, err
	}
	out, known := make([]float32, (2*n-1)*s.Heads), make([]bool, (2*n-1)*s.Heads)
	for i := range a.Size() {
		head, query, key := i/(n*n), i/n%n, i%n
		at, x := (key-query+n-1)*s.Heads+head, float32(a.At(i))
		if known[at] && !near(float64(x), float64(out[at])) {
			return nil, fmt.Errorf("query %d and key %d have %g, others at that distance %g", query, key, x, out[at])
		}
		if !known[at] {
			out[at], known[at] = x, true
		}
	}
	return out, nil
}

// isALiBi tells whether the rows of h heads are −slope·|distance| with ALiBi's slopes: 2^(−8i/h), and where h is no power
// of two also those of the next lower one, p, followed by every other one of 2p (Press et al. 2022, section 3 and their
// code).
func isALiBi(rows []float32, h int) bool {
	p := 1
	for 2*p <= h {
		p *= 2
	}
	even, mixed := true, true
	for i, x := range rows {
		head := i % h
		away := math.Abs(float64(i/h - len(rows)/h/2))
		other := -8 * float64(head+1) / float64(p)
		if head >= p {
			other = -8 * float64(2*(head-p)+1) / float64(2*p)
		}
		even = even && near(float64(x), -away*math.Pow(2, -8*float64(head+1)/float64(h)))
		mixed = mixed && near(float64(x), -away*math.Pow(2, other))
	}
	return even || mixed
}

// untrained returns an error where nodes read weights, which a bias that is computed on the host would not train: whether
// an initialiser is one that somebody learnt, or a constant, nothing in the file tells.
func (r *recogniser) untrained(need map[*onnx.Node]bool) error {
	for _, n := range r.s.g.nodes {
		if !need[n] {
			continue
		}
		for _, in := range n.Inputs {
			if v := r.s.value(in); in != "" && v != nil && v.kind == parameter {
				return fmt.Errorf("it is computed of the weight %q, is by no table and has not ALiBi's slopes", v.param.tensor.Name)
			}
		}
	}
	return nil
}

// slopesOf recognises a positional value that is added to the scores of h heads by distance alone, however long the
// sequence is, and of which nothing may be a weight unless it is ALiBi.
func (r *recogniser) slopesOf(name string, h int) (*Slopes, error) {
	name = r.s.g.resolve(name)
	key := fmt.Sprintf("%x %d", r.signature(name), h)
	if s := r.slopes[key]; s != nil {
		return s, nil
	}
	s := &Slopes{Heads: h, value: newByLength(r.s.g, name)}
	short, err := s.compute(r.s.seq)
	if err == nil {
		n := 2 * r.s.seq
		if long, failed := s.compute(n); failed == nil {
			for i, x := range short {
				if !near(float64(long[(n-r.s.seq)*h+i]), float64(x)) {
					err = errLengths
				}
			}
		}
	}
	if err == nil && !isALiBi(short, h) {
		err = r.untrained(s.value.need)
	}
	if err != nil {
		return nil, fmt.Errorf("the bias %q of the scores: %w", name, err)
	}
	r.slopes[key] = s
	r.e.Slopes = append(r.e.Slopes, s)
	return s, nil
}
