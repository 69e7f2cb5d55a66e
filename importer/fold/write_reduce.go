package fold

import (
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Reductions, and what is made of comparisons along an axis.

// reduction is an operator written as a function of its input and the axes that it folds.
func reduction(f func(w *writer, x *Array, keep bool, axes []int) *Array) writing {
	return func(w *writer) []*Array {
		x := w.In[0]
		given, _, err := w.intsOr(1, "axes")
		if w.failed(err) {
			return nil
		}
		folded, err := axes(given, len(x.Shape))
		if w.failed(err) {
			return nil
		}
		if len(given) == 0 {
			if w.int("noop_with_empty_axes", 0) != 0 {
				return w.fail("noop_with_empty_axes without axes, which runtimes read in different ways")
			}
			for i := range x.Shape {
				folded = append(folded, i)
			}
		}
		return one1(f(w, x, w.int("keepdims", 1) != 0, folded))
	}
}

func reduceL1(w *writer, x *Array, keep bool, axes []int) *Array {
	return w.reduce("ReduceSum", w.of("Abs", x), keep, axes...)
}

func reduceSumSquare(w *writer, x *Array, keep bool, axes []int) *Array {
	return w.reduce("ReduceSum", w.mul(x, x), keep, axes...)
}

func reduceL2(w *writer, x *Array, keep bool, axes []int) *Array {
	return w.of("Sqrt", reduceSumSquare(w, x, keep, axes))
}

func reduceLogSum(w *writer, x *Array, keep bool, axes []int) *Array {
	return w.of("Log", w.reduce("ReduceSum", x, keep, axes...))
}

// reduceLogSumExp is m + ln Σ e^(x−m) for the largest x, or the nearest finite number, as m.
func reduceLogSumExp(w *writer, x *Array, keep bool, axes []int) *Array {
	top := w.finite(w.reduce("ReduceMax", x, true, axes...))
	y := w.of("Log", w.reduce("ReduceSum", w.of("Exp", w.sub(x, top)), keep, axes...))
	if !keep && len(axes) > 0 {
		top = w.do("Squeeze", []*Array{top, list(axes...)})
	}
	return w.add(y, top)
}

func sumAll(w *writer) []*Array {
	acc := w.In[0]
	for _, x := range w.In[1:] {
		acc = w.add(acc, x)
	}
	return one1(acc)
}

func meanAll(w *writer) []*Array {
	return one1(w.div(sumAll(w)[0], w.num(float64(len(w.In)))))
}

// argument is ArgMax or ArgMin: the first number, or the last, of the elements that are the extreme one.
func argument(op string) writing {
	return func(w *writer) []*Array {
		k := w.axis("axis", 0)
		if w.err != nil {
			return nil
		}
		return one1(w.argument(w.In[0], op, k, w.int("keepdims", 1) != 0, w.int("select_last_index", 0) != 0))
	}
}

func (w *writer) argument(x *Array, op string, k int, keep, last bool) *Array {
	at := w.do("Equal", []*Array{x, w.reduce(op, x, true, k)})
	n := x.Shape[k]
	count := w.count(n, len(x.Shape)-1-k)
	if last {
		return w.reduce("ReduceMax", w.where(at, count, scalar(onnx.Int64, -1)), keep, k)
	}
	return w.reduce("ReduceMin", w.where(at, count, scalar(onnx.Int64, float64(n))), keep, k)
}

// hardmax is 1 at the first of the largest elements along an axis, def where none is given, and 0 elsewhere; before opset
// 13 along all axes from that one on, together.
func hardmax(def int64, together bool) writing {
	return func(w *writer) []*Array {
		x := w.In[0]
		shape := x.Shape
		k := w.axis("axis", def)
		if w.err != nil {
			return nil
		}
		if together {
			x = w.reshape(x, product(shape[:k]), product(shape[k:]))
			k = 1
		}
		if w.err != nil {
			return nil
		}
		top := w.argument(x, "ReduceMax", k, true, false)
		y := w.cast(w.do("Equal", []*Array{w.count(x.Shape[k], len(x.Shape)-1-k), top}), w.typ)
		if together {
			y = w.reshape(y, shape...)
		}
		return one1(y)
	}
}

// maxPairs bounds the comparisons of a TopK.
const maxPairs = 1 << 26

// topK compares all elements along an axis with each other: the rank of one is the number of those that come before it,
// equal ones in their order. The elements of rank 0 to k−1 are picked by sums over ones and zeros.
func topK(w *writer) []*Array {
	x := w.In[0]
	k := w.axis("axis", -1)
	n, err := w.topKCount()
	if w.failed(err) {
		return nil
	}
	d := x.Shape[k]
	if n < 1 || n > int64(d) {
		return w.fail("there are no %d elements along axis %d of %v", n, k, x)
	}
	if x.Size() > maxPairs/d {
		return w.fail("%v has more than %d pairs along axis %d, too many to compare", x, maxPairs, k)
	}
	perm := []int{}
	for i := range x.Shape {
		if i != k {
			perm = append(perm, i)
		}
	}
	rank := len(perm)
	perm = append(perm, k)
	x = w.transpose(x, perm...)
	a, b := w.unsqueeze(x, rank+1), w.unsqueeze(x, rank) // […, d, 1] and […, 1, d]
	ahead := w.less(a, b)
	if w.int("largest", 1) == 0 {
		ahead = w.less(b, a)
	}
	earlier := &Array{Type: onnx.Bool, Shape: []int{d, d}, Ints: make([]int64, d*d)}
	for i := range d {
		for j := range i {
			earlier.Ints[i*d+j] = 1
		}
	}
	equal := w.do("And", []*Array{w.do("Equal", []*Array{a, b}), earlier})
	before := w.cast(w.do("Or", []*Array{ahead, equal}), onnx.Int64)
	ranks := w.unsqueeze(w.reduce("ReduceSum", before, false, rank+1), rank) // […, 1, d]
	at := w.do("Equal", []*Array{ranks, w.count(int(n), 1)})                 // […, n, d]
	values := w.reduce("ReduceSum", w.where(at, b, w.num(0)), false, rank+1)
	numbers := w.reduce("ReduceSum", w.where(at, w.count(d, 0), scalar(onnx.Int64, 0)), false, rank+1)
	back := make([]int, rank+1)
	for i, p := range perm {
		back[p] = i
	}
	return []*Array{w.transpose(values, back...), w.transpose(numbers, back...)}
}

// topKCount is the number of elements to keep, an attribute before opset 10.
func (w *writer) topKCount() (int64, error) {
	x, ok, err := w.vector(1)
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return w.int("k", 0), nil
	case len(x) != 1:
		return 0, errUnknown
	}
	return x[0], nil
}

// oneHot is on where the indices, which may count from the end, are; off elsewhere.
func oneHot(w *writer) []*Array {
	depth, values := w.In[1], w.In[2]
	v, ok := depth.Scalar()
	if !ok {
		w.failed(errUnknown)
		return nil
	}
	rank := len(w.In[0].Shape) + 1
	k, err := axis(w.int("axis", -1), rank)
	if w.failed(err) {
		return nil
	}
	if !slices.Equal(values.Shape, []int{2}) {
		return w.fail("its values are %v, want two", values)
	}
	if v < 1 || v > MaxElements || math.IsNaN(v) {
		return w.fail("its depth is %g", v)
	}
	d := int(v)
	at := w.unsqueeze(w.cast(w.In[0], onnx.Int64), k)
	count := w.count(d, rank-1-k)
	hit := w.do("Or", []*Array{w.do("Equal", []*Array{at, count}),
		w.do("Equal", []*Array{at, w.sub(count, scalar(onnx.Int64, float64(d)))})})
	pick := func(i float64) *Array { return w.gather(values, scalar(onnx.Int64, i), 0) }
	return one1(w.where(hit, pick(1), pick(0)))
}
