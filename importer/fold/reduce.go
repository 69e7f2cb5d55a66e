package fold

import (
	"fmt"
	"math"
	"slices"
)

// A reducer folds values into one and finishes with their number.
type reducer struct {
	start  float64
	step   func(acc, x float64) float64
	finish func(acc float64, n int) float64
}

func asIs(acc float64, _ int) float64 { return acc }

var (
	sum     = reducer{0, func(a, x float64) float64 { return a + x }, asIs}
	mean    = reducer{0, sum.step, func(a float64, n int) float64 { return a / float64(n) }}
	prod    = reducer{1, func(a, x float64) float64 { return a * x }, asIs}
	maximum = reducer{math.Inf(-1), math.Max, asIs}
	minimum = reducer{math.Inf(1), math.Min, asIs}
)

// reduce folds along axes, which are an attribute in older opsets (until 13 for ReduceSum, 18 for the others) and an
// input since.
func reduce(r reducer) Func {
	return func(c Call) ([]*Array, error) {
		if err := c.need(1); err != nil {
			return nil, err
		}
		a := c.In[0]
		axes, given, err := c.intsOr(1, "axes")
		if err != nil {
			return nil, err
		}
		if !given || len(axes) == 0 {
			if c.int("noop_with_empty_axes", 0) != 0 {
				return []*Array{a}, nil
			}
			for i := range a.Shape {
				axes = append(slices.Clip(axes), int64(i))
			}
		}
		folded := make([]bool, len(a.Shape))
		for _, x := range axes {
			k, err := axis(x, len(a.Shape))
			if err != nil {
				return nil, err
			}
			folded[k] = true
		}
		kept, out := slices.Clone(a.Shape), []int{}
		for i, d := range a.Shape {
			if folded[i] {
				kept[i] = 1
			} else {
				out = append(out, d)
			}
		}
		if c.int("keepdims", 1) != 0 {
			out = kept
		}
		return one(a.fold(kept, out, r))
	}
}

// fold reduces a to shape kept, which has ones where it folds, and gives the result another shape.
func (a *Array) fold(kept, shape []int, r reducer) (*Array, error) {
	out := Unknown(a.Type, shape...)
	if !a.Known() {
		return out, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	n := out.Size()
	acc := make([]float64, n)
	for i := range acc {
		acc[i] = r.start
	}
	to := broadcastIndex(kept, a.Shape)
	for i := range a.Size() {
		k := to(i)
		acc[k] = r.step(acc[k], a.At(i))
	}
	count := 1
	if n > 0 {
		count = a.Size() / n
	}
	for i := range acc {
		v := r.finish(acc[i], count)
		if out.Ints != nil {
			out.Ints[i] = toInt(v)
		} else {
			out.Floats[i] = round(out.Type, v)
		}
	}
	return out, nil
}

func cumSum(c Call) ([]*Array, error) {
	if err := c.need(2); err != nil {
		return nil, err
	}
	a := c.In[0]
	x, ok := c.In[1].Scalar()
	if !ok {
		return nil, errUnknown
	}
	k, err := axis(int64(x), len(a.Shape))
	if err != nil {
		return nil, err
	}
	if c.int("exclusive", 0) != 0 || c.int("reverse", 0) != 0 {
		return nil, fmt.Errorf("an exclusive or reverse CumSum is not known")
	}
	out := Unknown(a.Type, a.Shape...)
	if !a.Known() {
		return []*Array{out}, nil
	}
	if err := out.alloc(); err != nil {
		return nil, err
	}
	step := strides(a.Shape)[k]
	for i := range a.Size() {
		first := i/step%a.Shape[k] == 0
		if out.Ints != nil {
			if out.Ints[i] = a.Ints[i]; !first {
				out.Ints[i] += out.Ints[i-step]
			}
		} else if out.Floats[i] = a.Floats[i]; !first {
			out.Floats[i] = round(a.Type, out.Floats[i]+out.Floats[i-step])
		}
	}
	return []*Array{out}, nil
}
