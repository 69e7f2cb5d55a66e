package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// sameAs is the shape rule of operators whose output has the shape of input i, and whose other inputs named in equal
// have it too.
func sameAs(i int, equal ...int) func(tensor.Shape, []tensor.Shape) (tensor.Shape, error) {
	return func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		for _, j := range equal {
			if !in[i].Eq(in[j]) {
				return nil, fmt.Errorf("inputs %d and %d differ in shape", i, j)
			}
		}
		return append(dst, in[i]...), nil
	}
}

// rank returns an error unless input i has n dimensions.
func rank(in []tensor.Shape, i, n int) error {
	if len(in[i]) != n {
		return fmt.Errorf("input %d has %d dimensions, want %d", i, len(in[i]), n)
	}
	return nil
}

// ranks checks rank for inputs 0, 1, 2, …
func ranks(in []tensor.Shape, n ...int) error {
	for i, k := range n {
		if err := rank(in, i, k); err != nil {
			return err
		}
	}
	return nil
}

// present returns those nodes that are not nil: an operator's optional inputs are left out of its node.
func present(ns ...*G.Node) []*G.Node {
	out := make([]*G.Node, 0, len(ns))
	for _, n := range ns {
		if n != nil {
			out = append(out, n)
		}
	}
	return out
}
