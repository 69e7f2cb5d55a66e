//go:build gpu && cgo && linux

package cuda

/*
#include "cuda.h"
#include "cublas_part.h"

static int create(CUcontext c, cublasHandle_t *h) { return cuCtxSetCurrent(c) ? CUBLAS_STATUS_NOT_INITIALIZED : cublasCreate_v2(h); }
static int settle(cublasHandle_t h, CUstream s, CUdeviceptr w, size_t n) {
  int r = cublasSetStream_v2(h, s);
  return r ? r : cublasSetWorkspace_v2(h, (void *)w, n);
}
static int destroy(CUcontext c, cublasHandle_t h) { return cuCtxSetCurrent(c) ? CUBLAS_STATUS_NOT_INITIALIZED : cublasDestroy_v2(h); }
static int gemm(CUcontext c, cublasHandle_t h, int ta, int tb, int m, int n, int k, float alpha, CUdeviceptr A, int At, int lda,
                long long sa, CUdeviceptr B, int Bt, int ldb, long long sb, float beta, CUdeviceptr C, int Ct, int ldc,
                long long sc, int batch, int compute) {
  if (cuCtxSetCurrent(c)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (batch == 1)
    return cublasGemmEx(h, ta, tb, m, n, k, &alpha, (void *)A, At, lda, (void *)B, Bt, ldb, &beta, (void *)C, Ct, ldc, compute,
                        CUBLAS_GEMM_DEFAULT);
  return cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, &alpha, (void *)A, At, lda, sa, (void *)B, Bt, ldb, sb, &beta, (void *)C,
                                    Ct, ldc, sc, batch, compute, CUBLAS_GEMM_DEFAULT);
}
*/
import "C"

import (
	"errors"
	"fmt"

	"github.com/seed-aefebe89/graft/internal/cuda/shim"
)

// BLAS is cuBLAS on one stream.
type BLAS struct {
	device    *Device
	h         C.cublasHandle_t
	workspace Ptr
	stream    C.CUstream
	lt        epilogues
	Version   int // 110800 for 11.8
}

// blasWorkspace is what NVIDIA recommends for compute capability 9.0. Without one of ours a product in a captured stream
// would allocate.
const blasWorkspace = 32 << 20

// NewBLAS loads cuBLAS and binds it to a stream.
func (s *Stream) NewBLAS() (*BLAS, error) {
	if ok, status := shim.BLAS(); !ok {
		return nil, fmt.Errorf("loading cuBLAS: %s", status)
	}
	b := &BLAS{device: s.device}
	if err := checkBLAS("cublasCreate", C.create(s.device.raw, &b.h)); err != nil {
		return nil, err
	}
	var err error
	if b.workspace, err = s.device.Alloc(blasWorkspace); err != nil {
		b.Close()
		return nil, err
	}
	if err := checkBLAS("cublasSetWorkspace", C.settle(b.h, s.raw, C.CUdeviceptr(b.workspace), blasWorkspace)); err != nil {
		b.Close()
		return nil, err
	}
	var v C.int
	if err := checkBLAS("cublasGetVersion", C.cublasGetVersion_v2(b.h, &v)); err != nil {
		b.Close()
		return nil, err
	}
	b.Version, b.stream = int(v), s.raw
	if err := b.openLt(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close gives back what cuBLAS holds.
func (b *BLAS) Close() error {
	return errors.Join(b.closeLt(), checkBLAS("cublasDestroy", C.destroy(b.device.raw, b.h)), b.device.Free(b.workspace))
}

var blasNames = map[C.int]string{
	1: "CUBLAS_STATUS_NOT_INITIALIZED", 3: "CUBLAS_STATUS_ALLOC_FAILED", 7: "CUBLAS_STATUS_INVALID_VALUE",
	8: "CUBLAS_STATUS_ARCH_MISMATCH", 11: "CUBLAS_STATUS_MAPPING_ERROR", 13: "CUBLAS_STATUS_EXECUTION_FAILED",
	14: "CUBLAS_STATUS_INTERNAL_ERROR", 15: "CUBLAS_STATUS_NOT_SUPPORTED", 16: "CUBLAS_STATUS_LICENSE_ERROR",
}

func checkBLAS(call string, r C.int) error {
	if r == C.CUBLAS_STATUS_SUCCESS {
		return nil
	}
	name, ok := blasNames[r]
	if !ok {
		name = "unknown status"
	}
	return &Error{Call: call, Name: name, Code: int(r), Detail: shim.Detail()}
}

// Type is the type of a matrix's elements.
type Type int

// The types, with cuBLAS's numbers.
const (
	Float32  Type = C.CUDA_R_32F
	BFloat16 Type = C.CUDA_R_16BF
)

// Matrix is a row-major matrix on the device, or a batch of them.
type Matrix struct {
	Ptr    Ptr
	Type   Type
	LD     int // elements from one row to the next
	Stride int // elements from one matrix of a batch to the next
	Trans  bool
}

// op is cuBLAS's number for what is done with the matrix.
func (m Matrix) op() C.int {
	if m.Trans {
		return C.CUBLAS_OP_T
	}
	return C.CUBLAS_OP_N
}

// Product are the sizes and options of a matrix product.
type Product struct {
	M, N, K     int
	Alpha, Beta float32
	Batch       int  // 0 counts as 1
	TF32        bool // float32 operands are rounded to TensorFloat-32: 10 bits of mantissa
}

// compute is cuBLAS's number for how operands of a type are multiplied.
func (p Product) compute(t Type) C.int {
	if p.TF32 && t == Float32 {
		return C.CUBLAS_COMPUTE_32F_FAST_TF32
	}
	return C.CUBLAS_COMPUTE_32F
}

// Multiply computes c[M,N] = Alpha·op(a)[M,K]·op(b)[K,N] + Beta·c on row-major matrices, for each of a batch; op
// transposes where Trans is set. a and b are of one type, c of theirs or float32. Sums are float32.
func (b *BLAS) Multiply(c, x, y Matrix, p Product) error {
	if p.M == 0 || p.N == 0 || p.Batch < 0 {
		return nil
	}
	// cuBLAS's matrices are column-major: to it ours are transposed, and cᵀ = op(y)ᵀ·op(x)ᵀ.
	r := C.gemm(b.device.raw, b.h, y.op(), x.op(), C.int(p.N), C.int(p.M), C.int(p.K), C.float(p.Alpha),
		C.CUdeviceptr(y.Ptr), C.int(y.Type), C.int(y.LD), C.longlong(y.Stride),
		C.CUdeviceptr(x.Ptr), C.int(x.Type), C.int(x.LD), C.longlong(x.Stride), C.float(p.Beta),
		C.CUdeviceptr(c.Ptr), C.int(c.Type), C.int(c.LD), C.longlong(c.Stride), C.int(max(p.Batch, 1)), p.compute(x.Type))
	if err := checkBLAS("cublasGemmEx", r); err != nil {
		return fmt.Errorf("multiplying [%d,%d] by [%d,%d]: %w", p.M, p.K, p.K, p.N, err)
	}
	return nil
}
