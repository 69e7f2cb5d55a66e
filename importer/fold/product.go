package fold

import (
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// maxProducts bounds the multiplications of one folded MatMul.
const maxProducts = 1 << 28

// matMul follows numpy's rule: vectors are padded, leading dimensions broadcast.
func matMul(c Call) ([]*Array, error) { return one(multiply(c.In[0], c.In[1])) }

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
	if k > 0 && out.Size() > maxProducts/k {
		return nil, fmt.Errorf("the product of %v and %v is too large to fold", a, b)
	}
	ia, ib := broadcastIndex(sa[:len(sa)-2], batch), broadcastIndex(sb[:len(sb)-2], batch)
	for i := range out.Size() {
		q, r, t := i/(m*n), i/n%m, i%n
		x, y := ia(q)*m*k+r*k, ib(q)*k*n+t
		if out.Floats != nil {
			acc := 0.0
			for p := range k {
				acc += a.Floats[x+p] * b.Floats[y+p*n]
			}
			out.Floats[i] = round(out.Type, acc)
			continue
		}
		acc := int64(0)
		for p := range k {
			acc += a.Ints[x+p] * b.Ints[y+p*n]
		}
		if out.Ints[i], err = wrap(out.Type, acc); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// gemm gives the shape alone: no exporter writes index arithmetic with it.
func gemm(c Call) ([]*Array, error) {
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
	if bias := c.in(2); bias != nil {
		full, err := Broadcast(bias.Shape, []int{m, n})
		if err != nil || !slices.Equal(full, []int{m, n}) {
			return nil, fmt.Errorf("the bias %v does not broadcast to [%d %d]", bias, m, n)
		}
	}
	return []*Array{Unknown(c.In[0].Type, m, n)}, nil
}

// softmax gives the type and shape of the input, never its elements. def is the axis where none is given.
func softmax(def int64) Func {
	return func(c Call) ([]*Array, error) {
		a := c.In[0]
		if _, err := axis(c.int("axis", def), len(a.Shape)); err != nil {
			return nil, err
		}
		return []*Array{Unknown(a.Type, a.Shape...)}, nil
	}
}

// layerNormalization gives the shape of its first output; mean and deviation keep the axes before its own.
func layerNormalization(c Call) ([]*Array, error) {
	x := c.In[0]
	k, err := axis(c.int("axis", -1), len(x.Shape))
	if err != nil {
		return nil, err
	}
	if product(x.Shape[k:]) == 0 {
		return nil, fmt.Errorf("there is nothing to normalise in %v from axis %d on", x, k)
	}
	for _, in := range c.In[1:] {
		if in == nil {
			continue
		}
		full, err := Broadcast(in.Shape, x.Shape)
		if err != nil || !slices.Equal(full, x.Shape) {
			return nil, fmt.Errorf("%v does not broadcast to %v", in, x)
		}
	}
	stat := slices.Clone(x.Shape)
	for i := k; i < len(stat); i++ {
		stat[i] = 1
	}
	return []*Array{Unknown(x.Type, x.Shape...), Unknown(onnx.Float, stat...), Unknown(onnx.Float, stat...)}, nil
}
