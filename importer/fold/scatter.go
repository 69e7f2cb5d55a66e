package fold

import (
	"fmt"
	"slices"
)

// combine tells how an element that is scattered meets what stands there, by the attribute reduction.
func (c Call) combine() (f func(x, y *Array) (*Array, error), err error) {
	kind := "none"
	if a := c.Node.Attribute("reduction"); a != nil {
		kind = string(a.S)
	}
	op, ok := map[string]string{"none": "", "add": "Add", "mul": "Mul", "min": "Min", "max": "Max"}[kind]
	switch {
	case !ok:
		return nil, fmt.Errorf("there is no reduction %q", kind)
	case op == "":
		return nil, nil
	case !number.has(c.In[0].Type):
		return nil, fmt.Errorf("a reduction of %v", c.In[0])
	}
	return binaries[op].two, nil
}

// scatterElements writes updates to the places of their own but for the axis, where the indices tell.
func scatterElements(c Call) ([]*Array, error) {
	a, idx, up := c.In[0], c.In[1], c.In[2]
	k, err := axis(c.int("axis", 0), len(a.Shape))
	if err != nil {
		return nil, err
	}
	fits := len(idx.Shape) == len(a.Shape) && slices.Equal(idx.Shape, up.Shape)
	for d := range a.Shape {
		fits = fits && (d == k || idx.Shape[d] <= a.Shape[d])
	}
	if !fits {
		return nil, fmt.Errorf("indices %v and updates %v do not fit %v", idx, up, a)
	}
	pos, err := positions(a, idx, k)
	if err != nil {
		return nil, err
	}
	from, to := strides(idx.Shape), strides(a.Shape)
	return c.scattered(1, func(i int) int {
		n := pos[i] * to[k]
		for d := range from {
			if d != k {
				n += i / from[d] % idx.Shape[d] * to[d]
			}
		}
		return n
	})
}

// scatterND writes slices of updates to the places that the rows of the indices tell.
func scatterND(c Call) ([]*Array, error) {
	a, idx, up := c.In[0], c.In[1], c.In[2]
	if len(idx.Shape) == 0 || idx.Shape[len(idx.Shape)-1] > len(a.Shape) {
		return nil, fmt.Errorf("indices %v do not fit %v", idx, a)
	}
	n := idx.Shape[len(idx.Shape)-1]
	if want := slices.Concat(idx.Shape[:len(idx.Shape)-1], a.Shape[n:]); !slices.Equal(want, up.Shape) {
		return nil, fmt.Errorf("updates %v, want the shape %v", up, want)
	}
	at, err := tuples(a, idx, 0)
	if err != nil {
		return nil, err
	}
	inner := product(a.Shape[n:])
	return c.scattered(inner, func(i int) int { return at[i/inner] + i%inner })
}

// scattered writes the elements of the third input to the first's at the places that to tells, where all are known.
// inner is the number of elements of one slice.
func (c Call) scattered(inner int, to func(i int) int) ([]*Array, error) {
	a, idx, up := c.In[0], c.In[1], c.In[2]
	combine, err := c.combine()
	if err != nil {
		return nil, err
	}
	if !a.Known() || !idx.Known() || !up.Known() {
		return []*Array{Unknown(a.Type, a.Shape...)}, nil
	}
	out, err := a.take(a.Shape, func(i int) int { return i })
	if err != nil {
		return nil, err
	}
	element := func(x *Array, i int) *Array {
		if x.Floats != nil {
			return &Array{Type: x.Type, Shape: []int{}, Floats: x.Floats[i : i+1]}
		}
		return &Array{Type: x.Type, Shape: []int{}, Ints: x.Ints[i : i+1]}
	}
	for i := range up.Size() {
		k, from, j := to(i), up, i
		if combine != nil {
			if from, err = combine(element(out, k), element(up, i)); err != nil {
				return nil, err
			}
			j = 0
		}
		if out.Floats != nil {
			out.Floats[k] = from.Floats[j]
		} else {
			out.Ints[k] = from.Ints[j]
		}
	}
	return []*Array{out}, nil
}

// gatherND takes the slices that the rows of the indices tell, the first dimensions of both being a batch.
func gatherND(c Call) ([]*Array, error) {
	a, idx := c.In[0], c.In[1]
	b := int(c.int("batch_dims", 0))
	if b < 0 || b >= min(len(a.Shape), len(idx.Shape)) || !slices.Equal(a.Shape[:b], idx.Shape[:b]) {
		return nil, fmt.Errorf("%d dimensions of %v and %v are no batch", b, a, idx)
	}
	n := idx.Shape[len(idx.Shape)-1]
	if n < 1 || n > len(a.Shape)-b {
		return nil, fmt.Errorf("indices %v do not fit %v", idx, a)
	}
	shape := slices.Concat(idx.Shape[:len(idx.Shape)-1], a.Shape[b+n:])
	at, err := tuples(a, idx, b)
	if err != nil {
		return nil, err
	}
	if !a.Known() || !idx.Known() {
		return []*Array{Unknown(a.Type, shape...)}, nil
	}
	inner := product(a.Shape[b+n:])
	return one(a.take(shape, func(i int) int { return at[i/inner] + i%inner }))
}

// tuples are the places of the first element that each row of known indices tells, nil where they are not known. The
// first b dimensions are a batch.
func tuples(a, idx *Array, b int) ([]int, error) {
	if !idx.Known() {
		return nil, nil
	}
	n := idx.Shape[len(idx.Shape)-1]
	step := strides(a.Shape)
	rows := product(idx.Shape[:len(idx.Shape)-1])
	each := 1 // rows of one member of the batch
	if b > 0 {
		each = product(idx.Shape[b : len(idx.Shape)-1])
	}
	at := make([]int, rows)
	for i := range at {
		if b > 0 {
			at[i] = i / each * product(a.Shape[b:])
		}
		for j := range n {
			v, d := idx.Ints[i*n+j], int64(a.Shape[b+j])
			if v < -d || v >= d {
				return nil, fmt.Errorf("index %d is outside of axis %d of %v", v, b+j, a)
			}
			if v < 0 {
				v += d
			}
			at[i] += int(v) * step[b+j]
		}
	}
	return at, nil
}
