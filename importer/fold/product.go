package fold

import (
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// matMul follows numpy's rule: vectors are padded, leading dimensions broadcast.
func matMul(c Call) ([]*Array, error) {
	if err := c.need(2); err != nil {
		return nil, err
	}
	return one(multiply(c.In[0], c.In[1]))
}

func multiply(a, b *Array) (*Array, error) {
	sa, sb := a.Shape, b.Shape
	if len(sa) == 0 || len(sb) == 0 {
		return nil, fmt.Errorf("cannot multiply %v by %v", sa, sb)
	}
	if len(sa) == 1 {
		sa = []int{1, sa[0]}
	}
	if len(sb) == 1 {
		sb = []int{sb[0], 1}
	}
	m, k, n := sa[len(sa)-2], sa[len(sa)-1], sb[len(sb)-1]
	if sb[len(sb)-2] != k {
		return nil, fmt.Errorf("cannot multiply %v by %v", a.Shape, b.Shape)
	}
	batch, err := Broadcast(sa[:len(sa)-2], sb[:len(sb)-2])
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(batch)
	if len(a.Shape) > 1 {
		shape = append(shape, m)
	}
	if len(b.Shape) > 1 {
		shape = append(shape, n)
	}
	out := Unknown(a.Type, shape...)
	if !a.Known() || !b.Known() {
		return out, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	ia, ib := broadcastIndex(sa[:len(sa)-2], batch), broadcastIndex(sb[:len(sb)-2], batch)
	for i := range out.Size() {
		q, r, t := i/(m*n), i/n%m, i%n
		acc := 0.0
		for p := range k {
			acc += a.At(ia(q)*m*k+r*k+p) * b.At(ib(q)*k*n+p*n+t)
		}
		if out.Ints != nil {
			out.Ints[i] = toInt(acc)
		} else {
			out.Floats[i] = round(out.Type, acc)
		}
	}
	return out, nil
}

// gemm gives the shape alone: no exporter writes index arithmetic with it.
func gemm(c Call) ([]*Array, error) {
	if err := c.need(2); err != nil {
		return nil, err
	}
	a, b := c.In[0].Shape, c.In[1].Shape
	if len(a) != 2 || len(b) != 2 {
		return nil, fmt.Errorf("cannot multiply %v by %v", a, b)
	}
	m, k, k2, n := a[0], a[1], b[0], b[1]
	if c.int("transA", 0) != 0 {
		m, k = k, m
	}
	if c.int("transB", 0) != 0 {
		k2, n = n, k2
	}
	if k != k2 {
		return nil, fmt.Errorf("cannot multiply %v by %v", a, b)
	}
	return []*Array{Unknown(c.In[0].Type, m, n)}, nil
}

// layerNormalization gives the shape of its first output; mean and deviation keep the axes before its own.
func layerNormalization(c Call) ([]*Array, error) {
	if err := c.need(2); err != nil {
		return nil, err
	}
	x := c.In[0]
	k, err := axis(c.int("axis", -1), len(x.Shape))
	if err != nil {
		return nil, err
	}
	stat := slices.Clone(x.Shape)
	for i := k; i < len(stat); i++ {
		stat[i] = 1
	}
	return []*Array{Unknown(x.Type, x.Shape...), Unknown(onnx.Float, stat...), Unknown(onnx.Float, stat...)}, nil
}
