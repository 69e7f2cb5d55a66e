package importer

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// weight is the initialiser that holds a quantised one's numbers, (q − zero)·scale. The scale is one number, one for
// each index along an axis, or, with a block size, one for each block along it.
func (q *dequantiser) weight(name, scale, zero string, axis, block int64) (string, error) {
	key := fmt.Sprint(name, "\x00", scale, "\x00", zero, "\x00", axis, "\x00", block)
	if w := q.made[key]; w != "" {
		return w, nil
	}
	t, s, z := q.x.inits[name], q.x.inits[scale], q.x.inits[zero]
	switch {
	case t == nil:
		return "", fmt.Errorf("%q is no weight of the model", name)
	case s == nil || !isFloat(s.Type):
		return "", fmt.Errorf("the scale %q of %q is no weight of the model", scale, name)
	case zero != "" && (z == nil || z.Type != t.Type):
		return "", fmt.Errorf("the zero point %q of %q is no weight of its type", zero, name)
	case !isQuantised(t.Type):
		return "", fmt.Errorf("%q is %v, which graft does not know as quantised", name, t.Type)
	}
	d := &dequantised{t: t, scale: s, zero: z}
	if err := d.shape(axis, block); err != nil {
		return "", fmt.Errorf("dequantising %q: %w", name, err)
	}
	return q.add(key, name, t.Dims, d.write)
}

// called is what onnxruntime's tools quantised a weight of this name from.
func called(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, "_quantized"), "_Transposed")
}

// add adds the initialiser for a dequantised weight, named after the quantised one.
func (q *dequantiser) add(key, name string, dims []int64, write func(io.Writer) error) (string, error) {
	w, err := onnx.NewLazyTensor(q.x.fresh(called(name)), onnx.Float, dims, write)
	if err != nil {
		return "", err
	}
	q.x.initialiser(w)
	q.made[key] = w.Name
	return w.Name, nil
}

func isQuantised(t onnx.DataType) bool {
	switch t {
	case onnx.Int8, onnx.Uint8, onnx.Int16, onnx.Uint16, onnx.Int32, onnx.Int4, onnx.Uint4, onnx.Int2, onnx.Uint2:
		return true
	}
	return false
}

// dequantised makes the numbers of a quantised tensor.
type dequantised struct {
	t, scale, zero *onnx.Tensor // zero may be nil

	// Element i has the scale (i/outer)·blocks·inner + (i/inner mod along)/block·inner + (i mod inner)·each.
	outer, along, inner, block, blocks, each int
}

// shape finds where each element's scale stands.
func (d *dequantised) shape(axis, block int64) error {
	n, err := d.t.Len()
	if err != nil {
		return err
	}
	scales, err := d.scale.Len()
	if err != nil {
		return err
	}
	if d.zero != nil {
		if zeros, err := d.zero.Len(); err != nil || zeros != scales {
			return fmt.Errorf("%d scales and %d zero points (%v)", scales, zeros, err)
		}
	}
	d.outer, d.along, d.inner, d.block, d.blocks = max(n, 1), 1, max(n, 1), 1, 1
	if scales == 1 && block == 0 {
		return nil
	}
	rank := int64(len(d.t.Dims))
	if rank == 1 && block == 0 {
		axis = 0
	}
	if axis < 0 {
		axis += rank
	}
	if axis < 0 || axis >= rank {
		return fmt.Errorf("its axis %d is outside of its shape %v", axis, d.t.Dims)
	}
	d.along, d.inner = int(d.t.Dims[axis]), 1
	for _, k := range d.t.Dims[axis+1:] {
		d.inner *= int(k)
	}
	d.outer, d.blocks = d.along*d.inner, d.along
	want := slices.Clone(d.t.Dims)
	if block > 0 {
		d.block, d.each = int(block), 1
		d.blocks = (d.along + d.block - 1) / d.block
		want[axis] = int64(d.blocks)
	} else {
		want = want[axis : axis+1]
	}
	if !slices.Equal(want, d.scale.Dims) {
		return fmt.Errorf("its scales have the shape %v, want %v", d.scale.Dims, want)
	}
	return nil
}

// at is the index of element i's scale.
func (d *dequantised) at(i int) int {
	b := i / d.inner % d.along / d.block
	if d.each == 0 {
		return b
	}
	return (i/d.outer*d.blocks+b)*d.inner + i%d.inner
}

// write makes the numbers in pieces.
func (d *dequantised) write(w io.Writer) error {
	scale, err := d.scale.Float32s()
	if err != nil {
		return err
	}
	zero := make([]float32, len(scale))
	if d.zero != nil {
		if zero, err = d.zero.Float32s(); err != nil {
			return err
		}
	}
	n, err := d.t.Len()
	if err != nil {
		return err
	}
	b, err := d.t.Bytes()
	if err != nil {
		return err
	}
	const piece = 1 << 14
	for from := 0; from < n; from += piece {
		x, err := onnx.Numbers(b, d.t.Type, from, min(piece, n-from))
		if err != nil {
			return err
		}
		for i := range x {
			k := d.at(from + i)
			x[i] = (x[i] - zero[k]) * scale[k]
		}
		if err := onnx.WriteFloat32s(w, x); err != nil {
			return err
		}
	}
	return nil
}
