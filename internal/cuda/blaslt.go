//go:build gpu && cgo && linux

package cuda

/*
#include "cuda.h"
#include "cublas_part.h"

typedef struct {
  cublasLtMatmulDesc_t product;
  cublasLtMatrixLayout_t a, b, c;
  cublasLtMatmulHeuristicResult_t best;
  int found;
} lt_plan;

static int lt_create(CUcontext c, cublasLtHandle_t *h) { return cuCtxSetCurrent(c) ? CUBLAS_STATUS_NOT_INITIALIZED : cublasLtCreate(h); }
static int lt_destroy(CUcontext c, cublasLtHandle_t h) { return cuCtxSetCurrent(c) ? CUBLAS_STATUS_NOT_INITIALIZED : cublasLtDestroy(h); }

static void lt_release(lt_plan *p) {
  if (p->product) cublasLtMatmulDescDestroy(p->product);
  if (p->a) cublasLtMatrixLayoutDestroy(p->a);
  if (p->b) cublasLtMatrixLayoutDestroy(p->b);
  if (p->c) cublasLtMatrixLayoutDestroy(p->c);
}

static int lt_bias(lt_plan *p, CUdeviceptr bias) {
  void *at = (void *)bias;
  return cublasLtMatmulDescSetAttribute(p->product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &at, sizeof at);
}

// Describes op(A)[m,k] op(B)[k,n] + bias[m] in each column, by columns, and has the library choose an algorithm.
static int lt_choose(CUcontext ctx, cublasLtHandle_t h, lt_plan *p, int32_t ta, int32_t tb, int m, int n, int k, int type, int lda,
                     int ldb, int ldc, int compute, CUdeviceptr bias, uint32_t aa, uint32_t ab, uint32_t ac, uint64_t workspace) {
  const uint32_t epilogue = CUBLASLT_EPILOGUE_BIAS;
  cublasLtMatmulPreference_t want = NULL;
  int r, found = 0;
  if (cuCtxSetCurrent(ctx)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if ((r = cublasLtMatmulDescCreate(&p->product, compute, CUDA_R_32F)) ||
      (r = cublasLtMatmulDescSetAttribute(p->product, CUBLASLT_MATMUL_DESC_TRANSA, &ta, sizeof ta)) ||
      (r = cublasLtMatmulDescSetAttribute(p->product, CUBLASLT_MATMUL_DESC_TRANSB, &tb, sizeof tb)) ||
      (r = cublasLtMatmulDescSetAttribute(p->product, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue)) ||
      (r = lt_bias(p, bias)) ||  // its alignment counts
      (r = cublasLtMatrixLayoutCreate(&p->a, type, ta ? k : m, ta ? m : k, lda)) ||
      (r = cublasLtMatrixLayoutCreate(&p->b, type, tb ? n : k, tb ? k : n, ldb)) ||
      (r = cublasLtMatrixLayoutCreate(&p->c, CUDA_R_32F, m, n, ldc)) || (r = cublasLtMatmulPreferenceCreate(&want)))
    return r;
  if (!(r = cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace)) &&
      !(r = cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &aa, sizeof aa)) &&
      !(r = cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &ab, sizeof ab)) &&
      !(r = cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &ac, sizeof ac)) &&
      !(r = cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &ac, sizeof ac))) {
    r = cublasLtMatmulAlgoGetHeuristic(h, p->product, p->a, p->b, p->c, p->c, want, 1, &p->best, &found);
    p->found = !r && found == 1 && p->best.state == CUBLAS_STATUS_SUCCESS;
  }
  cublasLtMatmulPreferenceDestroy(want);
  return r;
}

static int lt_multiply(CUcontext ctx, cublasLtHandle_t h, lt_plan *p, float alpha, CUdeviceptr A, CUdeviceptr B, CUdeviceptr bias,
                       CUdeviceptr C, CUdeviceptr workspace, CUstream s) {
  const float beta = 0;
  int r;
  if (cuCtxSetCurrent(ctx)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if ((r = lt_bias(p, bias))) return r;
  return cublasLtMatmul(h, p->product, &alpha, (void *)A, p->a, (void *)B, p->b, &beta, (void *)C, p->c, (void *)C, p->c,
                        &p->best.algo, (void *)workspace, p->best.workspaceSize, s);
}
*/
import "C"

import "fmt"

// epilogues are products that add a bias before they write, by cublasLt.
type epilogues struct {
	h     C.cublasLtHandle_t // nil where the library has none
	plans map[planKey]*C.lt_plan
}

// planKey is all that the choice of an algorithm depends on.
type planKey struct {
	m, n, k, ldx, ldy, ldc int
	transX, transY, tf32   bool
	t                      Type
	x, y, c, bias          uint32 // alignments in bytes
}

// maxPlans bounds the memory of the plans, some kilobytes each: where there are more, all are made again.
const maxPlans = 1024

// openLt opens cublasLt, if cuBLAS comes with it.
func (b *BLAS) openLt() error {
	b.lt.plans = map[planKey]*C.lt_plan{}
	r := C.lt_create(b.device.raw, &b.lt.h)
	if r == C.CUBLAS_STATUS_NOT_SUPPORTED {
		b.lt.h = nil
		return nil
	}
	return checkBLAS("cublasLtCreate", r)
}

func (b *BLAS) closeLt() error {
	b.lt.forget()
	if b.lt.h == nil {
		return nil
	}
	err := checkBLAS("cublasLtDestroy", C.lt_destroy(b.device.raw, b.lt.h))
	b.lt.h = nil
	return err
}

func (e *epilogues) forget() {
	for _, p := range e.plans {
		C.lt_release(p)
	}
	clear(e.plans)
}

// alignment is the largest power of two up to 256 that divides an address.
func alignment(p Ptr) uint32 { return uint32(min(p&-p, 256)) }

// MultiplyBias computes c[M,N] = Alpha·op(a)[M,K]·op(b)[K,N] + bias[N] on each row, for one product of positive sizes whose c
// and bias are float32; Beta and Batch are not used. ok is false, and nothing was done, where cublasLt is missing or has no
// algorithm for it.
func (b *BLAS) MultiplyBias(c, x, y Matrix, bias Ptr, p Product) (ok bool, err error) {
	if b.lt.h == nil {
		return false, nil
	}
	plan, err := b.plan(c, x, y, bias, p)
	if err == nil && plan.found != 0 {
		err = checkBLAS("cublasLtMatmul", C.lt_multiply(b.device.raw, b.lt.h, plan, C.float(p.Alpha), C.CUdeviceptr(y.Ptr),
			C.CUdeviceptr(x.Ptr), C.CUdeviceptr(bias), C.CUdeviceptr(c.Ptr), C.CUdeviceptr(b.workspace), b.stream))
		ok = true
	}
	if err != nil {
		return false, fmt.Errorf("multiplying [%d,%d] by [%d,%d] and adding a bias: %w", p.M, p.K, p.K, p.N, err)
	}
	return ok, nil
}

// plan is the algorithm for a product, which the library is asked for once.
func (b *BLAS) plan(c, x, y Matrix, bias Ptr, p Product) (*C.lt_plan, error) {
	key := planKey{
		m: p.M, n: p.N, k: p.K, ldx: x.LD, ldy: y.LD, ldc: c.LD, transX: x.Trans, transY: y.Trans, tf32: p.TF32, t: x.Type,
		x: alignment(x.Ptr), y: alignment(y.Ptr), c: alignment(c.Ptr), bias: alignment(bias),
	}
	if plan := b.lt.plans[key]; plan != nil {
		return plan, nil
	}
	if len(b.lt.plans) >= maxPlans {
		b.lt.forget()
	}
	plan := new(C.lt_plan)
	// As for Multiply, cᵀ = op(y)ᵀ·op(x)ᵀ by columns: a column of it is a row of ours, and gets the bias.
	r := C.lt_choose(b.device.raw, b.lt.h, plan, C.int32_t(y.op()), C.int32_t(x.op()), C.int(p.N), C.int(p.M), C.int(p.K),
		C.int(x.Type), C.int(y.LD), C.int(x.LD), C.int(c.LD), p.compute(x.Type), C.CUdeviceptr(bias), C.uint32_t(key.y),
		C.uint32_t(key.x), C.uint32_t(min(key.c, key.bias)), blasWorkspace)
	if r != C.CUBLAS_STATUS_SUCCESS && r != C.CUBLAS_STATUS_NOT_SUPPORTED {
		C.lt_release(plan)
		return nil, checkBLAS("cublasLtMatmulAlgoGetHeuristic", r)
	}
	b.lt.plans[key] = plan
	return plan, nil
}
