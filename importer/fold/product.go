package fold

import (
	"fmt"
	"slices"
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

// gemm is alpha·op(A)·op(B) + beta·C for matrices.
func gemm(c Call) ([]*Array, error) {
	a, b := c.In[0], c.In[1]
	if len(a.Shape) != 2 || len(b.Shape) != 2 {
		return nil, fmt.Errorf("cannot multiply %v by %v", a.Shape, b.Shape)
	}
	out, err := c.product(a, b)
	if err != nil {
		return nil, err
	}
	bias := c.in(2)
	if bias == nil {
		return one(c.scaled("alpha", out))
	}
	full, err := Broadcast(bias.Shape, out.Shape)
	if err != nil || !slices.Equal(full, out.Shape) {
		return nil, fmt.Errorf("the bias %v does not broadcast to %v", bias, out.Shape)
	}
	if out, err = c.scaled("alpha", out); err != nil {
		return nil, err
	}
	if bias, err = c.scaled("beta", bias); err != nil {
		return nil, err
	}
	return one(binaries["Add"].two(out, bias))
}

// product multiplies two arrays, the last two axes of each transposed on request.
func (c Call) product(a, b *Array) (*Array, error) {
	a, err := a.turned(c.int("transA", 0) != 0)
	if err != nil {
		return nil, err
	}
	if b, err = b.turned(c.int("transB", 0) != 0); err != nil {
		return nil, err
	}
	return multiply(a, b)
}

// turned is a with its last two axes transposed, if on is set and it has two.
func (a *Array) turned(on bool) (*Array, error) {
	n := len(a.Shape)
	if !on || n < 2 {
		return a, nil
	}
	rows, cols := a.Shape[n-2], a.Shape[n-1]
	shape := slices.Clone(a.Shape)
	shape[n-2], shape[n-1] = cols, rows
	return a.take(shape, func(i int) int {
		matrix, r, k := i/(rows*cols), i/rows%cols, i%rows
		return matrix*rows*cols + k*cols + r
	})
}

// scaled is an array times an attribute, which is 1 where it is not given.
func (c Call) scaled(name string, a *Array) (*Array, error) {
	s := c.float(name, 1)
	if s == 1 || !a.Known() || a.Floats == nil {
		return a, nil
	}
	return unary{f: func(x float64) float64 { return s * x }}.one(a)
}
