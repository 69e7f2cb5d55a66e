package onnx

import (
	"math"
	"math/bits"
)

// SparseTensor is a SparseTensorProto: the elements of a tensor that are not zero, and where they stand.
type SparseTensor struct {
	Values  *Tensor // [nnz]; its name is the sparse tensor's
	Indices *Tensor // int64, [nnz] indices into the flat tensor or [nnz, rank] index tuples, ascending
	Dims    []int64 // of the dense tensor
	Wire
}

func (s *SparseTensor) fields(c *codec) {
	one(c, 1, "values", &s.Values)
	one(c, 2, "indices", &s.Indices)
	ints(c, 3, &s.Dims)
}

// maxDense is the most bytes that a sparse tensor is expanded to: what a protobuf file could hold inline.
const maxDense = math.MaxInt32

// Dense returns the tensor with its zeros, under the name of Values. Types of fewer than 8 bits and strings are an
// error, as are indices out of range, and a dense size beyond 2 GiB.
func (s *SparseTensor) Dense() (*Tensor, error) {
	dense := &Tensor{Dims: s.Dims}
	if s.Values == nil || s.Indices == nil {
		return nil, dense.errorf("sparse tensor without values or indices")
	}
	dense.Name, dense.Type = s.Values.Name, s.Values.Type
	size, err := dense.size()
	if err != nil {
		return nil, err
	}
	if size > maxDense {
		return nil, dense.errorf("the sparse tensor is too large to be made dense: %d bytes", size)
	}
	width := dense.Type.Bits() / 8
	if width == 0 {
		return nil, dense.errorf("sparse tensors of %v are not supported", dense.Type)
	}
	data, err := s.Values.Bytes()
	if err != nil {
		return nil, err
	}
	at, err := s.flat(dense, len(data)/width)
	if err != nil {
		return nil, err
	}
	dense.raw = make([]byte, size)
	for i, k := range at {
		copy(dense.raw[int(k)*width:(int(k)+1)*width], data[i*width:])
	}
	return dense, nil
}

// flat returns the nnz indices into the flat tensor.
func (s *SparseTensor) flat(dense *Tensor, nnz int) ([]int64, error) {
	at, err := s.Indices.Int64s()
	if err != nil {
		return nil, err
	}
	total, err := dense.Len()
	if err != nil {
		return nil, err
	}
	switch rank := len(s.Dims); {
	case len(s.Indices.Dims) == 1 && len(at) == nnz:
	case len(s.Indices.Dims) == 2 && s.Indices.Dims[0] == int64(nnz) && s.Indices.Dims[1] == int64(rank):
		tuples := at
		at = make([]int64, nnz)
		for i := range at {
			for k, d := range s.Dims {
				x := tuples[i*rank+k]
				if x < 0 || x >= d {
					return nil, dense.errorf("sparse index %d of element %d is out of range", x, i)
				}
				hi, lo := bits.Mul64(uint64(at[i]), uint64(d))
				if hi != 0 || lo > uint64(total) {
					return nil, dense.errorf("sparse index of element %d is out of range", i)
				}
				at[i] = int64(lo) + x
			}
		}
	default:
		return nil, dense.errorf("sparse indices %v for %d values", s.Indices, nnz)
	}
	for i, x := range at {
		if x < 0 || x >= int64(total) {
			return nil, dense.errorf("sparse index %d of element %d is out of range", x, i)
		}
	}
	return at, nil
}
