package importer

import (
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// masked recognises the product of an activation and a mask that is 1 for every real token, which changes padding alone.
func (r *recogniser) masked(name string, n *onnx.Node) (Value, error) {
	act, mask, ok := r.sides(n, "Mul")
	if !ok || r.s.value(mask).kind != index {
		return None, nil
	}
	if _, ok := r.tokens(act); !ok || !slices.Equal(r.s.value(act).Shape, r.s.value(name).Shape) {
		return None, nil
	}
	for trial := range r.s.seq {
		if err := r.keepsTokens(mask, r.s.value(name).Shape, r.s.lengths(trial)); err != nil {
			return None, r.s.errorf(n, "its factor %q: %w", mask, err)
		}
	}
	return r.value(act)
}

// keepsTokens checks that a mask, in the shape of an activation, is 1 for the tokens of sequences of some lengths.
func (r *recogniser) keepsTokens(mask string, shape, lengths []int) error {
	a, err := r.s.compute(mask, r.s.feeds(lengths))
	if err == nil {
		a, err = fold.Expand(a, shape)
	}
	if err != nil {
		return err
	}
	width := a.Size() / (r.s.batch * r.s.seq)
	for i := range a.Size() {
		token := i / width
		if seq, pos := token/r.s.seq, token%r.s.seq; pos < lengths[seq] && a.At(i) != 1 {
			return fmt.Errorf("it is %g for token %d of a sequence of %d, where graft expects a mask that is 1 but for padding",
				a.At(i), pos, lengths[seq])
		}
	}
	return nil
}
