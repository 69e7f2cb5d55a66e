package app

import (
	"fmt"
	"math/rand/v2"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// foreignSizes are what the free sizes of inputs other than tokens are in each batch: the first one that a model names,
// or the first of an input, and all others.
var foreignSizes = [][2]int{{2, 3}, {1, 1}, {5, 4}}

// maxForeign bounds the elements of an input that is filled with random numbers.
const maxForeign = 1 << 22

// foreignBatches makes random batches for inputs of a model that is no encoder of tokens. Integers are 0 or 1, which are
// indices into most things.
func (c *Check) foreignBatches(inputs []*onnx.ValueInfo) ([]*checkBatch, error) {
	r := rand.New(rand.NewPCG(c.options.Seed, 6))
	var out []*checkBatch
	for _, sizes := range foreignSizes {
		b := &checkBatch{inputs: map[string]*fold.Array{}}
		named := map[string]int{}
		for _, in := range inputs {
			shape, err := foreignShape(in, sizes, named)
			if err != nil {
				return nil, err
			}
			if b.inputs[in.Name], err = randomArray(r, in.Type.Tensor.Elem, shape); err != nil {
				return nil, fmt.Errorf("input %q: %w", in.Name, err)
			}
		}
		out = append(out, b)
	}
	return out, nil
}

// foreignShape gives an input's free sizes numbers, the same to the same name; an input of any rank is a matrix.
func foreignShape(in *onnx.ValueInfo, sizes [2]int, named map[string]int) ([]int, error) {
	if in.Type == nil || in.Type.Tensor == nil {
		return nil, fmt.Errorf("the model has an input %q of the type %v, which graft does not know how to fill: it takes tensors", in.Name, in.Type)
	}
	if in.Type.Tensor.Shape == nil {
		return sizes[:], nil
	}
	shape, n := []int{}, 1
	for i, d := range in.Type.Tensor.Shape.Dims {
		size := sizes[min(i, 1)]
		switch {
		case d.Known && (d.Value < 1 || d.Value > maxForeign):
			return nil, fmt.Errorf("input %q has the type %v, which is no batch to try", in.Name, in.Type)
		case d.Known:
			size = int(d.Value)
		case d.Param != "":
			if named[d.Param] == 0 {
				named[d.Param] = sizes[min(len(named), 1)]
			}
			size = named[d.Param]
		}
		if n *= size; n > maxForeign {
			return nil, fmt.Errorf("input %q has the type %v, which is no batch to try", in.Name, in.Type)
		}
		shape = append(shape, size)
	}
	return shape, nil
}

// randomArray makes an array of standard normal numbers in the precision of t, or of zeros and ones.
func randomArray(r *rand.Rand, t onnx.DataType, shape []int) (*fold.Array, error) {
	a := &fold.Array{Type: t, Shape: shape}
	n := a.Size()
	round := func(x float32) float32 { return x }
	switch t {
	case onnx.Float16:
		round = func(x float32) float32 { return onnx.ToF16(x).Float32() }
	case onnx.Bfloat16:
		round = func(x float32) float32 { return onnx.ToBF16(x).Float32() }
	case onnx.Float, onnx.Double:
	case onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64, onnx.Bool:
		a.Ints = make([]int64, n)
		for i := range a.Ints {
			a.Ints[i] = int64(r.IntN(2))
		}
		return a, nil
	default:
		return nil, fmt.Errorf("graft does not know how to fill a tensor of %v", t)
	}
	a.Floats = make([]float64, n)
	for i := range a.Floats {
		a.Floats[i] = float64(round(float32(r.NormFloat64())))
	}
	return a, nil
}
