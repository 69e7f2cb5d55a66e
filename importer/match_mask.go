package importer

import (
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// mask is a term of the scores that depends on the model's inputs.
type mask struct {
	name  string
	kind  maskKind
	scale float64 // what the scores are multiplied by after it
}

type maskKind int

const (
	added     maskKind = iota // 0 lets through, a large negative number hides
	keepWhere                 // a condition that lets through
	hideWhere                 // a condition that hides
)

// hidden is the largest number that hides a score from the softmax: e⁻⁸⁸ is the least that float32 tells from zero.
const hidden = -1000

// longest is the sequence length at which masks are looked at, beside the probes', where the model takes as much: a
// window of local attention shows there.
const longest = 1024

// window checks that the masks of an attention of h heads hide the padding of each sequence and, where they limit how far
// a token sees, what is further away than that, and nothing else, by computing them for batches of several lengths. It
// returns the distance, 0 where tokens see their whole sequence.
func (r *recogniser) window(soft *onnx.Node, masks []mask, h int) (int, error) {
	names := fmt.Sprint(masks, h) // which are the same at all probes
	key := fmt.Sprint(h)
	if r.probe > 0 {
		key = fmt.Sprint(h, r.windows[names])
	}
	for _, m := range masks { // layers compute the same masks again
		key += fmt.Sprintf(" %x %d %g", r.signature(m.name), m.kind, m.scale)
	}
	c, known := r.masks[key]
	if !known {
		c.window, c.err = r.checkMasks(r.windows[names], masks, h)
		r.masks[key] = c
	}
	if c.err != nil {
		return 0, fmt.Errorf("%v: its mask: %w", soft, c.err)
	}
	r.windows[names] = c.window
	return c.window, nil
}

// checked is what the masks of an attention were found to be.
type checked struct {
	window int
	err    error
}

// checkMasks looks at a long sequence at the first probe, which tells the window that is known at the others, and then at
// the probe's.
func (r *recogniser) checkMasks(window int, masks []mask, h int) (int, error) {
	if r.probe == 0 {
		var err error
		if window, err = r.longMasks(masks, h); err != nil {
			return 0, err
		}
	}
	for trial := range r.s.seq {
		lengths := r.s.lengths(trial)
		arrays, shape, err := r.s.compared(masks, h, lengths)
		if err == nil {
			err = r.s.hidesPadding(masks, arrays, shape, lengths, window)
		}
		if err != nil {
			return 0, err
		}
	}
	return window, nil
}

// longMasks checks the masks for the longest sequence that the model takes, up to a bound, and returns the window.
func (r *recogniser) longMasks(masks []mask, h int) (int, error) {
	var names []string
	for _, m := range masks {
		names = append(names, m.name)
	}
	need, _ := r.s.g.closure(names...)
	for n := longest; n > r.s.seq; n /= 2 {
		lengths := []int{n - n/4}
		s, err := r.s.g.specialise(1, n, func(n *onnx.Node) bool { return need[n] })
		if err != nil {
			continue // more than the model takes
		}
		arrays, shape, err := s.compared(masks, h, lengths)
		if err != nil {
			continue
		}
		open, err := openScores(masks, arrays, shape)
		if err != nil {
			return 0, err
		}
		window := 0
		for window < min(lengths[0], shape[3])-1 && open[window+1] {
			window++
		}
		if window == lengths[0]-1 || shape[2] == 1 || shape[3] == 1 {
			window = 0
		}
		return window, s.hidesPadding(masks, arrays, shape, lengths, window)
	}
	return 0, nil
}

// compared computes the masks for a batch of sequences of some lengths, and the shape that they have together.
func (s *spec) compared(masks []mask, h int, lengths []int) (arrays []*fold.Array, shape []int, err error) {
	memo := s.feeds(lengths)
	shape = []int{1, 1, 1, 1}
	for _, m := range masks {
		a, err := s.compute(m.name, memo)
		if err == nil {
			shape, err = fold.Broadcast(shape, a.Shape)
		}
		if err != nil {
			return nil, nil, err
		}
		arrays = append(arrays, a)
	}
	scores := []int{s.batch, h, s.seq, s.seq}
	if full, err := fold.Broadcast(shape, scores); err != nil || !slices.Equal(full, scores) {
		return nil, nil, fmt.Errorf("its shape %v does not broadcast to the scores' %v", shape, scores)
	}
	if shape[1] > fold.MaxElements/(shape[0]*shape[2]*shape[3]) {
		return nil, nil, fmt.Errorf("its shape %v is too large to look at", shape)
	}
	return arrays, shape, nil
}

// openScores are the scores of some shape that masks let through.
func openScores(masks []mask, arrays []*fold.Array, shape []int) ([]bool, error) {
	open := make([]bool, shape[0]*shape[1]*shape[2]*shape[3])
	for i := range open {
		open[i] = true
	}
	for i, m := range masks {
		if err := m.apply(arrays[i], shape, open); err != nil {
			return nil, fmt.Errorf("%q: %w", m.name, err)
		}
	}
	return open, nil
}

// hidesPadding checks masks that were computed for sequences of some lengths.
func (s *spec) hidesPadding(masks []mask, arrays []*fold.Array, shape, lengths []int, window int) error {
	open, err := openScores(masks, arrays, shape)
	if err != nil {
		return err
	}
	for seq, length := range lengths {
		if err := onlyKeys(open, shape, seq, length, s.seq, window, s.g.input("attention_mask")); err != nil {
			return err
		}
	}
	return nil
}

// onlyKeys checks the scores of one sequence of a batch: real tokens see the real ones of n, up to window places away
// unless that is 0, and no padding where a mask tells of it. A dimension of 1 stands for all of the scores'.
func onlyKeys(open []bool, shape []int, seq, length, n, window int, masked bool) error {
	at := func(i, d int) int { return min(i, shape[d]-1) }
	for head := range shape[1] {
		for query := range min(shape[2], length) {
			row := ((at(seq, 0)*shape[1]+head)*shape[2] + query) * shape[3]
			for key := range n {
				far := window > 0 && (key-query > window || query-key > window)
				if sees := open[row+at(key, 3)]; sees != ((key < length || !masked) && !far) {
					return fmt.Errorf("token %d of a sequence of %d sees token %d: %t, where graft expects attention "+
						"that only padding and a window of equal reach to both sides limit", query, length, key, sees)
				}
			}
		}
	}
	return nil
}

// apply closes the scores that the mask hides.
func (m mask) apply(a *fold.Array, shape []int, open []bool) error {
	full, err := fold.Expand(a, shape)
	if err != nil {
		return err
	}
	for i := range open {
		v := full.At(i)
		switch {
		case m.kind == keepWhere:
			open[i] = open[i] && v != 0
		case m.kind == hideWhere:
			open[i] = open[i] && v == 0
		case v*m.scale == 0:
		case v*m.scale <= hidden:
			open[i] = false
		default:
			return fmt.Errorf("it adds %g to a score, which neither lets through nor hides", v*m.scale)
		}
	}
	return nil
}
