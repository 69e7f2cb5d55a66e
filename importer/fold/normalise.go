package fold

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// softmax is Softmax or, if log is set, LogSoftmax along an axis, def where none is given; before opset 13 along all
// axes from that one on, together.
func softmax(def int64, together, log bool) Func {
	return func(c Call) ([]*Array, error) {
		a := c.In[0]
		k, err := axis(c.int("axis", def), len(a.Shape))
		if err != nil {
			return nil, err
		}
		out := Unknown(a.Type, a.Shape...)
		if !a.Known() {
			return []*Array{out}, nil
		}
		if err := out.alloc(); err != nil {
			return nil, err
		}
		n, step := a.Shape[k], strides(a.Shape)[k]
		if together {
			n, step = product(a.Shape[k:]), 1
		}
		for line := range a.Size() / max(n, 1) {
			first := line/step*step*n + line%step
			top, sum := math.Inf(-1), 0.0
			for i := range n {
				top = max(top, a.Floats[first+i*step])
			}
			for i := range n {
				sum += math.Exp(a.Floats[first+i*step] - top)
			}
			for i := range n {
				d := a.Floats[first+i*step] - top
				y := math.Exp(d) / sum
				if log {
					y = d - math.Log(sum)
				}
				out.Floats[first+i*step] = round(a.Type, y)
			}
		}
		return []*Array{out}, nil
	}
}

// layerNormalization normalises over all axes from its own on; mean and deviation keep those before.
func layerNormalization(c Call) ([]*Array, error) {
	x := c.In[0]
	k, err := axis(c.int("axis", -1), len(x.Shape))
	if err != nil {
		return nil, err
	}
	n := product(x.Shape[k:])
	if n == 0 {
		return nil, fmt.Errorf("there is nothing to normalise in %v from axis %d on", x, k)
	}
	known := x.Known()
	for _, in := range c.In[1:] {
		if in == nil {
			continue
		}
		full, err := Broadcast(in.Shape, x.Shape)
		if err != nil || !slices.Equal(full, x.Shape) {
			return nil, fmt.Errorf("%v does not broadcast to %v", in, x)
		}
		known = known && in.Known()
	}
	stat := slices.Clone(x.Shape)
	for i := k; i < len(stat); i++ {
		stat[i] = 1
	}
	out := []*Array{Unknown(x.Type, x.Shape...), Unknown(onnx.Float, stat...), Unknown(onnx.Float, stat...)}
	if !known {
		return out, nil
	}
	for _, a := range out {
		if err := a.alloc(); err != nil {
			return nil, err
		}
	}
	eps := c.float("epsilon", float64(float32(1e-5)))
	scale := broadcastIndex(c.In[1].Shape, x.Shape)
	for r := range out[1].Floats {
		row, mean, square := x.Floats[r*n:r*n+n], 0.0, 0.0
		for _, v := range row {
			mean += v / float64(n)
		}
		for _, v := range row {
			square += (v - mean) * (v - mean) / float64(n)
		}
		inverse := 1 / math.Sqrt(square+eps)
		out[1].Floats[r], out[2].Floats[r] = round(onnx.Float, mean), round(onnx.Float, inverse)
		for i, v := range row {
			y := (v - mean) * inverse * c.In[1].Floats[scale(r*n+i)]
			if b := c.in(2); b != nil {
				y += b.Floats[broadcastIndex(b.Shape, x.Shape)(r*n+i)]
			}
			out[0].Floats[r*n+i] = round(x.Type, y)
		}
	}
	return out, nil
}
