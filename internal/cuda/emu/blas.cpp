//go:build gpu && emu && linux

// cuBLAS's products: operands in float32 or bfloat16, products in float32 or, with the operands rounded, TensorFloat-32.
#include "product.h"

namespace emu {

struct Handle { CUstream stream; };

static size_t element(int type) { return type == CUDA_R_16BF ? 2 : 4; }

static float load(const Matrix &x, size_t i, bool tf32) {
  uint32_t u;
  if (x.type == CUDA_R_16BF) {
    u = (uint32_t)((const uint16_t *)x.p)[i] << 16;
  } else {
    u = ((const uint32_t *)x.p)[i];
    if (tf32) {
      float f;
      memcpy(&f, &u, 4);
      u = round_tf32(f);
    }
  }
  float f;
  memcpy(&f, &u, 4);
  return f;
}

// Whether the [rows, cols] matrices of a batch, by columns, lie in the device's memory.
static bool inside(const char *what, const Matrix &x, int rows, int cols, int batch) {
  if (!rows || !cols || !batch) return true;
  long long last = (batch - 1) * x.stride + (long long)(cols - 1) * x.ld + rows;
  return in_device(what, x.p, (size_t)last * element(x.type));
}

static bool inside(const Product *p) {
  return inside("cublasGemm, A", p->a, p->ta ? p->k : p->m, p->ta ? p->m : p->k, p->batch) &&
         inside("cublasGemm, B", p->b, p->tb ? p->n : p->k, p->tb ? p->k : p->n, p->batch) &&
         inside("cublasGemm, C", p->c, p->m, p->n, p->batch) &&
         (!p->bias || in_device("cublasLtMatmul, bias", p->bias, p->m * sizeof(float))) &&
         (!p->scratch_bytes || in_device("cublasLtMatmul, workspace", p->scratch, p->scratch_bytes));
}

// One product of the batch: columns of C one after another, so that the inner loop runs along columns of op(A).
static void run_one(const Product *p, int i, float *a, float *column) {
  const bool tf32 = p->compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  Matrix A = p->a, B = p->b, C = p->c;
  A.p += (CUdeviceptr)(i * A.stride) * element(A.type);
  B.p += (CUdeviceptr)(i * B.stride) * element(B.type);
  C.p += (CUdeviceptr)(i * C.stride) * element(C.type);
  const size_t m = p->m;
  for (int l = 0; l < p->k; l++)
    for (size_t r = 0; r < m; r++) a[l * m + r] = load(A, p->ta ? l + r * A.ld : r + (size_t)l * A.ld, tf32);
  for (int j = 0; j < p->n; j++) {
    memset(column, 0, m * sizeof *column);
    for (int l = 0; l < p->k; l++) {
      const float b = load(B, p->tb ? j + (size_t)l * B.ld : l + (size_t)j * B.ld, tf32), *x = a + l * m;
      for (size_t r = 0; r < m; r++) column[r] += x[r] * b;
    }
    for (size_t r = 0; r < m; r++) {
      size_t at = r + (size_t)j * C.ld;
      float v = p->alpha * column[r];
      if (p->beta != 0) v += p->beta * load(C, at, false);
      if (p->bias) v += ((const float *)p->bias)[r];
      if (C.type == CUDA_R_16BF) ((uint16_t *)C.p)[at] = round_bf16(v);
      else ((float *)C.p)[at] = v;
    }
  }
}

static CUresult run_product(Work *w) {
  Product *p = (Product *)w;
  if (!inside(p)) return CUDA_ERROR_ILLEGAL_ADDRESS;
  float *a = (float *)malloc(((size_t)p->m * p->k + p->m) * sizeof(float) + 1);
  if (!a) return CUDA_ERROR_OUT_OF_MEMORY;
  if (p->scratch_bytes) poison((void *)p->scratch, p->scratch_bytes);
  for (int i = 0; i < p->batch; i++) run_one(p, i, a, a + (size_t)p->m * p->k);
  free(a);
  return CUDA_SUCCESS;
}

static bool valid(const Product *p) {
  auto type = [](int t) { return t == CUDA_R_32F || t == CUDA_R_16BF; };
  if (p->m < 0 || p->n < 0 || p->k < 0 || p->batch < 0) explain("cublasGemm of [%d,%d]·[%d,%d]", p->m, p->k, p->k, p->n);
  else if (p->a.ld < (p->ta ? p->k : p->m) || p->b.ld < (p->tb ? p->n : p->k) || p->c.ld < p->m || !p->a.ld || !p->b.ld || !p->c.ld)
    explain("cublasGemm with the leading dimensions %d, %d, %d", p->a.ld, p->b.ld, p->c.ld);
  else if (!type(p->a.type) || p->a.type != p->b.type || !type(p->c.type) || (p->a.type == CUDA_R_32F && p->c.type != CUDA_R_32F))
    explain("cublasGemm of the types %d and %d into %d", p->a.type, p->b.type, p->c.type);
  else if (p->compute != CUBLAS_COMPUTE_32F && p->compute != CUBLAS_COMPUTE_32F_FAST_TF32)
    explain("cublasGemm that computes in %d", p->compute);
  else
    return inside(p);
  return false;
}

Product *new_product() { return (Product *)new_work(sizeof(Product), run_product); }

int multiply(CUstream s, Product *p) {
  if (!valid(p)) {
    free(p);
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  return enqueue(s, &p->w) ? 13 : 0;  // CUBLAS_STATUS_EXECUTION_FAILED
}

}  // namespace emu

using namespace emu;

EMULATED(int) emu_cublasCreate_v2(cublasHandle_t *h) { *h = (cublasHandle_t)calloc(1, sizeof(Handle)); return *h ? 0 : 3; }
EMULATED(int) emu_cublasDestroy_v2(cublasHandle_t h) { free(h); return 0; }
EMULATED(int) emu_cublasGetVersion_v2(cublasHandle_t, int *v) { *v = 110800; return 0; }
EMULATED(int) emu_cublasSetStream_v2(cublasHandle_t h, void *s) { ((Handle *)h)->stream = (CUstream)s; return 0; }

EMULATED(int) emu_cublasSetWorkspace_v2(cublasHandle_t, void *p, size_t n) {
  Lock l;
  return in_device("cublasSetWorkspace", (CUdeviceptr)p, n) ? 0 : CUBLAS_STATUS_INVALID_VALUE;
}

EMULATED(int) emu_cublasGemmStridedBatchedEx(cublasHandle_t h, int ta, int tb, int m, int n, int k, const void *alpha, const void *A,
                                             int At, int lda, long long sa, const void *B, int Bt, int ldb, long long sb,
                                             const void *beta, void *C, int Ct, int ldc, long long sc, int batch, int compute, int) {
  Lock l;
  if (check_context()) return 14;  // CUBLAS_STATUS_INTERNAL_ERROR
  Product *p = new_product();
  if (!p) return 3;  // CUBLAS_STATUS_ALLOC_FAILED
  p->ta = ta, p->tb = tb, p->m = m, p->n = n, p->k = k, p->batch = batch, p->compute = compute;
  p->alpha = *(const float *)alpha, p->beta = *(const float *)beta;
  p->a = Matrix{(CUdeviceptr)A, At, lda, sa};
  p->b = Matrix{(CUdeviceptr)B, Bt, ldb, sb};
  p->c = Matrix{(CUdeviceptr)C, Ct, ldc, sc};
  return multiply(((Handle *)h)->stream, p);
}

EMULATED(int) emu_cublasGemmEx(cublasHandle_t h, int ta, int tb, int m, int n, int k, const void *alpha, const void *A, int At, int lda,
                               const void *B, int Bt, int ldb, const void *beta, void *C, int Ct, int ldc, int compute, int algo) {
  return emu_cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, alpha, A, At, lda, 0, B, Bt, ldb, 0, beta, C, Ct, ldc, 0, 1, compute, algo);
}
