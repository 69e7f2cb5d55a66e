package fold

import (
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// trilu keeps the triangle of matrices on and above the diagonal k, or on and below it, and makes 0 of the rest.
func trilu(w *writer) []*Array {
	x := w.In[0]
	rank := len(x.Shape)
	if rank < 2 {
		return w.fail("%v is no matrix", x)
	}
	k := int64(0)
	if d, ok, err := w.vector(1); w.failed(err) {
		return nil
	} else if ok && len(d) == 1 {
		k = d[0]
	}
	rows, cols := x.Shape[rank-2], x.Shape[rank-1]
	keep := &Array{Type: onnx.Bool, Shape: []int{rows, cols}}
	if w.failed(keep.alloc()) {
		return nil
	}
	upper := w.int("upper", 1) != 0
	k = min(max(k, -int64(rows)), int64(cols))
	for i := range keep.Ints {
		d := int64(i%cols) - int64(i/cols)
		keep.Ints[i] = b2i(upper && d >= k || !upper && d <= k)
	}
	return one1(w.where(keep, x, scalar(x.Type, 0)))
}

// blocks are the sizes of an image [N, C, H, W] and of a block.
func (w *writer) blocks() (s []int, b int, ok bool) {
	s, b = w.In[0].Shape, int(w.int("blocksize", 0))
	if len(s) != 4 || b < 1 || b > 1<<15 {
		w.fail("%v has no blocks of %d", w.In[0], b)
		return nil, 0, false
	}
	return s, b, true
}

// spaceToDepth moves blocks of pixels into channels.
func spaceToDepth(w *writer) []*Array {
	s, b, ok := w.blocks()
	if !ok {
		return nil
	}
	if s[2]%b != 0 || s[3]%b != 0 {
		return w.fail("blocks of %d do not divide %v", b, w.In[0])
	}
	y := w.reshape(w.In[0], s[0], s[1], s[2]/b, b, s[3]/b, b)
	return one1(w.reshape(w.transpose(y, 0, 3, 5, 1, 2, 4), s[0], s[1]*b*b, s[2]/b, s[3]/b))
}

// depthToSpace moves channels into blocks of pixels: by depth, column, row or column, row, depth.
func depthToSpace(w *writer) []*Array {
	s, b, ok := w.blocks()
	if !ok {
		return nil
	}
	if s[1]%(b*b) != 0 {
		return w.fail("blocks of %d do not divide the channels of %v", b, w.In[0])
	}
	c := s[1] / (b * b)
	var y *Array
	switch mode := w.str("mode", "DCR"); mode {
	case "DCR":
		y = w.transpose(w.reshape(w.In[0], s[0], b, b, c, s[2], s[3]), 0, 3, 4, 1, 5, 2)
	case "CRD":
		y = w.transpose(w.reshape(w.In[0], s[0], c, b, b, s[2], s[3]), 0, 1, 4, 2, 5, 3)
	default:
		return w.fail("there is no mode %q", mode)
	}
	return one1(w.reshape(y, s[0], c, s[2]*b, s[3]*b))
}

// padAttr is Pad before opset 11, whose padding and value are attributes.
func padAttr(w *writer) []*Array {
	pads, ok := w.ints("pads")
	if !ok {
		return w.fail("the attribute pads is missing")
	}
	return w.pad(pads, nil, w.num(w.float("value", 0)))
}

// padInput is Pad from opset 11 on.
func padInput(w *writer) []*Array {
	pads, _, err := w.vector(1)
	if w.failed(err) {
		return nil
	}
	value := w.in(2)
	if value == nil {
		value = w.num(0)
	}
	if value.Size() != 1 {
		return w.fail("its value is %v, want one element", value)
	}
	on, given, err := w.vector(3)
	if w.failed(err) {
		return nil
	}
	if given && on == nil {
		on = []int64{}
	}
	return w.pad(pads, on, value)
}

// pad puts elements before and after those of each axis, or takes some away where their number is negative.
func (w *writer) pad(pads, on []int64, value *Array) []*Array {
	x := w.In[0]
	if on == nil {
		for i := range x.Shape {
			on = append(on, int64(i))
		}
	}
	ks, err := axes(on, len(x.Shape))
	if w.failed(err) {
		return nil
	}
	if len(pads) != 2*len(ks) {
		return w.fail("%d numbers of padding for %d axes", len(pads), len(ks))
	}
	mode := w.str("mode", "constant")
	for i, k := range ks {
		before, after := pads[i], pads[i+len(ks)]
		if max(before, after, -before, -after) > MaxElements || min(before, after) < -MaxElements {
			return w.fail("a padding of %d and %d", before, after)
		}
		if x = w.padAxis(x, k, int(before), int(after), mode, value); w.err != nil {
			return nil
		}
	}
	return one1(x)
}

// padAxis pads an axis. The copies that the modes reflect, edge and wrap make are chosen by index.
func (w *writer) padAxis(x *Array, k, before, after int, mode string, value *Array) *Array {
	d := x.Shape[k]
	if before == 0 && after == 0 {
		return x
	}
	if before+d+after < 0 {
		w.fail("a padding of %d and %d of %v along axis %d", before, after, x, k)
		return x
	}
	if mode == "constant" {
		from, to := min(max(0, -before), d), max(0, d+min(0, after))
		parts := []*Array{}
		block := func(n int) {
			if n > 0 {
				shape := slices.Clone(x.Shape)
				shape[k] = n
				parts = append(parts, w.fill(w.reshape(value, slices.Repeat([]int{1}, len(shape))...), shape...))
			}
		}
		block(before)
		if from < to {
			inner := x
			if from > 0 || to < d {
				inner = w.window(x, k, from, to)
			}
			parts = append(parts, inner)
		}
		block(after)
		if from > to || len(parts) == 0 {
			w.fail("a padding of %d and %d leaves nothing of %v along axis %d", before, after, x, k)
			return x
		}
		return w.concat(k, parts...)
	}
	index := []int{}
	for i := -before; i < d+after; i++ {
		j := i
		switch {
		case mode == "edge" && d > 0:
			j = min(max(i, 0), d-1)
		case mode == "reflect" && d > 1:
			p := 2 * (d - 1)
			j = ((i % p) + p) % p
			j = min(j, p-j)
		case mode == "reflect" && d == 1:
			j = 0
		case mode == "wrap" && d > 0:
			j = ((i % d) + d) % d
		default:
			w.fail("padding %v along axis %d by the mode %q", x, k, mode)
			return x
		}
		index = append(index, j)
	}
	return w.gather(x, list(index...), k)
}
