package fold

import (
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// windows are the places of a kernel on the spatial axes of x [N, C, D₁, …]. They are made a matrix by taking elements by
// index, so that a convolution is a matrix product and a pooling a reduction.
type windows struct {
	kernel, stride, dilation, before, after, out []int
	padding                                      []int // behind x, without what ceil_mode adds
}

// windows reads the attributes of a convolution or a pooling.
func (w *writer) windows(kernel []int, ceil bool) (v windows, err error) {
	x := w.In[0]
	n := len(x.Shape) - 2
	if n < 1 || len(kernel) != n {
		return v, fmt.Errorf("a kernel %v does not fit %v", kernel, x)
	}
	v.kernel = kernel
	numbers := func(name string, n int, def int64) []int {
		given, ok := w.ints(name)
		if !ok || len(given) == 0 {
			given = slices.Repeat([]int64{def}, n)
		}
		if len(given) != n && err == nil {
			err = fmt.Errorf("the attribute %s is %v, want %d numbers", name, given, n)
			return make([]int, n)
		}
		out := make([]int, n)
		for i, d := range given {
			if (d < def || d > MaxElements) && err == nil {
				err = fmt.Errorf("the attribute %s is %v", name, given)
			}
			out[i] = int(d)
		}
		return out
	}
	v.stride, v.dilation = numbers("strides", n, 1), numbers("dilations", n, 1)
	pads := numbers("pads", 2*n, 0)
	v.before, v.after = pads[:n], pads[n:]
	auto := w.str("auto_pad", "NOTSET")
	for i, k := range kernel {
		if err != nil {
			return v, err
		}
		d, s := x.Shape[i+2], v.stride[i]
		if k < 1 || k > MaxElements {
			return v, fmt.Errorf("a kernel of %v", kernel)
		}
		span := (k-1)*v.dilation[i] + 1
		out, after := 0, v.after[i]
		switch auto {
		case "SAME_UPPER", "SAME_LOWER":
			out = (d + s - 1) / s
			total := max(0, (out-1)*s+span-d)
			v.before[i], v.after[i] = total/2, total-total/2
			if auto == "SAME_LOWER" {
				v.before[i], v.after[i] = total-total/2, total/2
			}
			after = v.after[i]
		case "NOTSET", "", "VALID":
			if auto == "VALID" {
				v.before[i], v.after[i], after = 0, 0, 0
			}
			room := d + v.before[i] + v.after[i] - span
			if room < 0 {
				return v, fmt.Errorf("a kernel of %d with dilation %d does not fit axis %d of %v", k, v.dilation[i], i+2, x)
			}
			out = room/s + 1
			if ceil && room%s != 0 && out*s < d+v.before[i] { // the last window begins in x or before it
				out++
				v.after[i] = max(v.after[i], (out-1)*s+span-d-v.before[i])
			}
		default:
			return v, fmt.Errorf("there is no auto_pad %q", auto)
		}
		v.out, v.padding = append(v.out, out), append(v.padding, after)
	}
	return v, err
}

// unfold makes [N, out₁, …, kernel₁, …, C] of x [N, C, D₁, …], with value around it. The channels stand last, so that runs
// of them are moved as one.
func (w *writer) unfold(x *Array, v windows, value *Array) *Array {
	n := len(v.kernel)
	perm := []int{0}
	for i := range n {
		perm = append(perm, 2+i)
	}
	x = w.transpose(x, append(perm, 1)...)
	if w.err != nil {
		return x
	}
	perm = []int{0}
	for i, k := range v.kernel {
		if x = w.padAxis(x, 1+2*i, v.before[i], v.after[i], "constant", value); w.err != nil {
			return x
		}
		if k > MaxElements/max(v.out[i], 1) {
			w.fail("the windows of %v have too many elements", x)
			return x
		}
		at := &Array{Type: onnx.Int64, Shape: []int{v.out[i], k}, Ints: make([]int64, k*v.out[i])}
		for j := range at.Ints {
			at.Ints[j] = int64(j/k*v.stride[i] + j%k*v.dilation[i])
		}
		if x = w.gather(x, at, 1+2*i); w.err != nil {
			return x
		}
		perm = append(perm, 1+2*i)
	}
	for i := range n {
		perm = append(perm, 2+2*i)
	}
	return w.transpose(x, append(perm, 1+2*n)...)
}

// convolution is Conv: x [N, C, …], weights [M, C/group, kernel…], bias [M].
func convolution(w *writer) []*Array {
	x, weight := w.In[0], w.In[1]
	if len(weight.Shape) != len(x.Shape) || len(x.Shape) < 3 {
		return w.fail("weights %v do not fit %v", weight, x)
	}
	groups, m := int(w.int("group", 1)), weight.Shape[0]
	if groups < 1 || m%groups != 0 || weight.Shape[1] > x.Shape[1] || weight.Shape[1]*groups != x.Shape[1] {
		return w.fail("weights %v do not fit %v in %d groups", weight, x, groups)
	}
	if k, ok := w.ints("kernel_shape"); ok && !slices.EqualFunc(k, weight.Shape[2:], func(a int64, b int) bool { return a == int64(b) }) {
		return w.fail("a kernel %v does not fit weights %v", k, weight)
	}
	if b := w.in(2); b != nil && !slices.Equal(b.Shape, []int{m}) {
		return w.fail("a bias %v does not fit weights %v", b, weight)
	}
	v, err := w.windows(weight.Shape[2:], false)
	if w.failed(err) {
		return nil
	}
	cols := w.unfold(x, v, w.num(0))
	places, k, c := x.Shape[0]*product(v.out), product(v.kernel), weight.Shape[1]
	var y *Array
	if groups == 1 {
		kernels := w.transpose(w.reshape(weight, m, c, k), 0, 2, 1)
		in := []*Array{w.reshape(cols, places, k*c), w.reshape(kernels, m, k*c)}
		if b := w.in(2); b != nil {
			in = append(in, b)
		}
		y = w.do("Gemm", in, intAttr("transB", 1))
	} else {
		a := w.reshape(w.transpose(w.reshape(cols, places, k, groups, c), 2, 0, 1, 3), groups, places, k*c)
		kernels := w.transpose(w.reshape(weight, groups, m/groups, c, k), 0, 3, 2, 1)
		y = w.transpose(w.do("MatMul", []*Array{a, w.reshape(kernels, groups, k*c, m/groups)}), 1, 0, 2)
		y = w.reshape(y, places, m)
		if b := w.in(2); b != nil {
			y = w.add(y, b)
		}
	}
	return one1(w.channelsFirst(y, x.Shape[0], v.out, m))
}

// channelsFirst makes [N, M, out…] of [N·Πout, M].
func (w *writer) channelsFirst(y *Array, n int, out []int, m int) *Array {
	y = w.reshape(y, slices.Concat([]int{n}, out, []int{m})...)
	perm := []int{0, len(out) + 1}
	for i := range out {
		perm = append(perm, 1+i)
	}
	return w.transpose(y, perm...)
}

// pooling is a pooling by a kernel, in windows that value fills up.
func pooling(value float64, f func(w *writer, cols *Array, v windows, axes []int) *Array) writing {
	return func(w *writer) []*Array {
		x := w.In[0]
		given, _ := w.ints("kernel_shape")
		kernel := []int{}
		for _, k := range given {
			kernel = append(kernel, int(k))
		}
		if len(w.Node.Outputs) > 1 && w.Node.Outputs[1] != "" {
			return w.fail("the numbers of the largest elements")
		}
		v, err := w.windows(kernel, w.int("ceil_mode", 0) != 0)
		if w.failed(err) {
			return nil
		}
		if len(kernel) > 0 && product(v.out) == 0 || x.Size() == 0 {
			return w.fail("%v is empty, which graft's operators do not take", x)
		}
		cols := w.unfold(x, v, w.num(value))
		axes := []int{}
		for i := range kernel {
			axes = append(axes, len(kernel)+1+i)
		}
		y := f(w, cols, v, axes)
		return one1(w.channelsFirst(y, x.Shape[0], v.out, x.Shape[1]))
	}
}

// maxPool is the largest element of each window.
func maxPool(w *writer, cols *Array, _ windows, axes []int) *Array {
	return w.reduce("ReduceMax", cols, false, axes...)
}

// averagePool is the mean of each window, of the elements of x alone, or with the padding that the attributes ask for, but
// never with what ceil_mode adds.
func averagePool(w *writer, cols *Array, v windows, axes []int) *Array {
	sum := w.reduce("ReduceSum", cols, false, axes...)
	if w.err != nil {
		return sum
	}
	counts := []float64{1}
	for i := range v.kernel {
		d := w.In[0].Shape[i+2]
		low, high := v.before[i], v.before[i]+d // of the padded axis
		if w.int("count_include_pad", 0) != 0 {
			low, high = 0, high+v.padding[i]
		}
		var next []float64
		for _, c := range counts {
			for o := range v.out[i] {
				n := 0
				for k := range v.kernel[i] {
					if p := o*v.stride[i] + k*v.dilation[i]; p >= low && p < high {
						n++
					}
				}
				next = append(next, c*float64(n))
			}
		}
		if counts = next; len(counts) > MaxElements {
			w.fail("the windows of %v are too many", w.In[0])
			return sum
		}
	}
	n := &Array{Type: w.typ, Shape: append(slices.Clone(v.out), 1), Floats: counts}
	return w.div(sum, n)
}

// lpPool is the norm of each window.
func lpPool(w *writer, cols *Array, _ windows, axes []int) *Array {
	return w.norm(cols, false, axes)
}

// norm is the norm of the order that the attribute p tells.
func (w *writer) norm(x *Array, keep bool, axes []int) *Array {
	p := float64(w.int("p", 2))
	switch {
	case p == 1:
		return reduceL1(w, x, keep, axes)
	case p == 2:
		return reduceL2(w, x, keep, axes)
	case p < 1:
		w.fail("there is no norm of order %g", p)
	}
	sum := w.reduce("ReduceSum", w.do("Pow", []*Array{w.of("Abs", x), w.num(p)}), keep, axes...)
	return w.do("Pow", []*Array{sum, w.num(1 / p)})
}

// global folds all spatial axes.
func global(f func(w *writer, x *Array, axes []int) *Array) writing {
	return func(w *writer) []*Array {
		x := w.In[0]
		if len(x.Shape) < 3 {
			return w.fail("%v has no spatial axes", x)
		}
		axes := []int{}
		for i := 2; i < len(x.Shape); i++ {
			axes = append(axes, i)
		}
		return one1(f(w, x, axes))
	}
}

func globalMean(w *writer, x *Array, axes []int) *Array {
	return w.reduce("ReduceMean", x, true, axes...)
}

func globalMax(w *writer, x *Array, axes []int) *Array {
	return w.reduce("ReduceMax", x, true, axes...)
}

func globalNorm(w *writer, x *Array, axes []int) *Array { return w.norm(x, true, axes) }
