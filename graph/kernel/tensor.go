package kernel

// Tensor is a dense row-major operand where the kernels that use it run. Exactly one of F32 and I32 holds its
// elements; the zero Tensor is empty and stands for an operand that is left out. The elements of a frozen weight may
// be a view of a mapped file at any byte alignment, read-only.
type Tensor struct {
	Shape  []int
	F32    []float32
	I32    []int32
	Packed *Packed // layouts of a matrix that is used often, or nil
}

// Packed holds a matrix laid out for MatMul: Plain as op(b) = b, Trans as op(b) = bᵀ. Either may be nil; both are the
// same Layout where that serves both. A matrix of which only layouts are kept has a shape, and no elements.
type Packed struct {
	Plain, Trans Layout
}

// Layout is a matrix as a device wants the right operand of MatMul.
type Layout interface {
	// Bytes is the memory that the layout takes.
	Bytes() int
	// Both tells that the layout serves as op(b) = b and as op(b) = bᵀ, so that the matrix needs one alone.
	Both() bool
}

// Releaser is a Layout that holds memory which a garbage collector does not know of.
type Releaser interface {
	Layout
	// Release gives the memory back once all that was asked for before is done.
	Release()
}

// F32 returns a float32 operand over x.
func F32(x []float32, shape ...int) Tensor { return Tensor{Shape: shape, F32: x} }

// I32 returns an int32 operand over x.
func I32(x []int32, shape ...int) Tensor { return Tensor{Shape: shape, I32: x} }

// Empty tells whether t stands for an operand that is left out.
func (t Tensor) Empty() bool { return t.F32 == nil && t.I32 == nil }

// Rows is the first dimension, and Cols the product of the others: a vector is one column.
func (t Tensor) Rows() int { return t.Shape[0] }

// Cols is the product of all dimensions but the first.
func (t Tensor) Cols() int {
	n := 1
	for _, d := range t.Shape[1:] {
		n *= d
	}
	return n
}
