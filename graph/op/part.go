package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Part is y = x[i]: x [n,…], y without the first dimension. Operators with several results return them stacked, and
// Part takes them apart: it computes nothing, y shares x's memory.
func Part(x *G.Node, i int) (*G.Node, error) {
	o := &Op{name: "Part", attrs: fmt.Sprint(i)}
	o.infer = func(dst tensor.Shape, in []tensor.Shape) (tensor.Shape, error) {
		if len(in[0]) < 2 || i < 0 || i >= in[0][0] {
			return nil, fmt.Errorf("there is no part %d", i)
		}
		return append(dst, in[0][1:]...), nil
	}
	o.view = func(in tensor.Shape) int { return i * in[1:].TotalSize() }
	return apply(o, x)
}
