//go:build gpu && emu && linux

// cublasLt's products with a bias. An algorithm is good for what it was chosen for alone, down to the operands' alignment.
#include "product.h"

namespace emu {

enum { LT_WORKSPACE = 4096, MAX_ALIGNMENT = 256 };
struct Described { int compute, scale; int32_t trans[2]; uint32_t epilogue; CUdeviceptr bias; };
struct Layout { int type; uint64_t rows, cols; int64_t ld; };
struct Preference { uint64_t workspace; uint32_t alignment[4]; };

static bool without_lt;

static bool aligned(CUdeviceptr p, uint64_t n) { return n && p % n == 0; }
static uint64_t alignment(CUdeviceptr p) {
  uint64_t n = MAX_ALIGNMENT;
  while (n > 1 && p % n) n /= 2;
  return n;
}

// The numbers of a problem and of what was promised of its operands.
static cublasLtMatmulAlgo_t number(const Described *d, const Layout *a, const Layout *b, const Layout *c, const uint64_t *promised) {
  return {{(uint64_t)d->compute << 32 | d->epilogue << 4 | d->trans[0] << 1 | d->trans[1], a->rows << 32 | a->cols, b->rows << 32 | b->cols,
           c->rows << 32 | c->cols, (uint64_t)a->type << 32 | (uint64_t)b->type << 16 | c->type, (uint64_t)a->ld << 32 | b->ld, (uint64_t)c->ld,
           promised[0] << 48 | promised[1] << 32 | promised[2] << 16 | promised[3]}};
}

// Copies an attribute of a size that must be right.
static int set(void *to, size_t size, const void *from, size_t n) {
  if (n != size) {
    explain("an attribute of %zu bytes, of which %zu were given", size, n);
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  memcpy(to, from, n);
  return 0;
}

template <class T> static int make(T **p, T v) {
  *p = (T *)malloc(sizeof(T));
  if (!*p) return 3;  // CUBLAS_STATUS_ALLOC_FAILED
  **p = v;
  return 0;
}

}  // namespace emu

using namespace emu;

extern "C" void emu_set_without_lt(int on) { Lock l; without_lt = on != 0; }

EMULATED(int) emu_cublasLtCreate(cublasLtHandle_t *h) {
  Lock l;
  if (without_lt) return CUBLAS_STATUS_NOT_SUPPORTED;
  *h = (cublasLtHandle_t)calloc(1, 1);
  return *h ? 0 : 3;
}
EMULATED(int) emu_cublasLtDestroy(cublasLtHandle_t h) { free(h); return 0; }

EMULATED(int) emu_cublasLtMatmulDescCreate(Described **d, int compute, int scale) {
  return make(d, Described{compute, scale, {CUBLAS_OP_N, CUBLAS_OP_N}, CUBLASLT_EPILOGUE_DEFAULT, 0});
}
EMULATED(int) emu_cublasLtMatmulDescDestroy(Described *d) { free(d); return 0; }
EMULATED(int) emu_cublasLtMatmulDescSetAttribute(Described *d, int attribute, const void *v, size_t n) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return set(&d->trans[0], sizeof d->trans[0], v, n);
    case CUBLASLT_MATMUL_DESC_TRANSB: return set(&d->trans[1], sizeof d->trans[1], v, n);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return set(&d->epilogue, sizeof d->epilogue, v, n);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return set(&d->bias, sizeof d->bias, v, n);
  }
  explain("the attribute %d of a product", attribute);
  return CUBLAS_STATUS_INVALID_VALUE;
}

EMULATED(int) emu_cublasLtMatrixLayoutCreate(Layout **p, int type, uint64_t rows, uint64_t cols, int64_t ld) {
  return make(p, Layout{type, rows, cols, ld});
}
EMULATED(int) emu_cublasLtMatrixLayoutDestroy(Layout *p) { free(p); return 0; }

EMULATED(int) emu_cublasLtMatmulPreferenceCreate(Preference **p) {
  return make(p, Preference{0, {MAX_ALIGNMENT, MAX_ALIGNMENT, MAX_ALIGNMENT, MAX_ALIGNMENT}});
}
EMULATED(int) emu_cublasLtMatmulPreferenceDestroy(Preference *p) { free(p); return 0; }
EMULATED(int) emu_cublasLtMatmulPreferenceSetAttribute(Preference *p, int attribute, const void *v, size_t n) {
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return set(&p->workspace, sizeof p->workspace, v, n);
  const int i = attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
  if (i >= 0 && i < 4) return set(&p->alignment[i], sizeof p->alignment[i], v, n);
  explain("the attribute %d of a preference", attribute);
  return CUBLAS_STATUS_INVALID_VALUE;
}

// No algorithm is found for an inner dimension of one, as a library may have none for some shapes.
EMULATED(int) emu_cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, Described *d, Layout *a, Layout *b, Layout *c, Layout *out, Preference *want,
                                                 int asked, cublasLtMatmulHeuristicResult_t *best, int *found) {
  *found = 0;
  const uint64_t k = d->trans[0] ? a->rows : a->cols;
  if (asked < 1 || want->workspace < LT_WORKSPACE || k == 1 || d->scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (d->epilogue != CUBLASLT_EPILOGUE_BIAS || !d->bias || c->type != out->type || c->ld != out->ld) {
    explain("cublasLtMatmulAlgoGetHeuristic: epilogue %u, a bias at %#llx", d->epilogue, (unsigned long long)d->bias);
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (d->bias % want->alignment[3]) {
    explain("cublasLtMatmulAlgoGetHeuristic: the bias is at no multiple of %u bytes", want->alignment[3]);
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const uint64_t promised[4] = {want->alignment[0], want->alignment[1], want->alignment[3], alignment(d->bias)};
  *best = cublasLtMatmulHeuristicResult_t{number(d, a, b, c, promised), LT_WORKSPACE, CUBLAS_STATUS_SUCCESS, 1.f, {}};
  *found = 1;
  return 0;
}

EMULATED(int) emu_cublasLtMatmul(cublasLtHandle_t, Described *d, const void *alpha, const void *A, Layout *a, const void *B, Layout *b, const void *beta,
                                 const void *C, Layout *c, void *D, Layout *out, const cublasLtMatmulAlgo_t *algo, void *workspace, size_t bytes, void *s) {
  Lock l;
  if (check_context()) return 14;  // CUBLAS_STATUS_INTERNAL_ERROR
  const uint64_t last = algo->data[7], promised[4] = {last >> 48, last >> 32 & 0xffff, last >> 16 & 0xffff, last & 0xffff};
  const cublasLtMatmulAlgo_t same = number(d, a, b, out, promised);
  if (memcmp(&same, algo, sizeof same)) {
    explain("cublasLtMatmul by an algorithm that was chosen for another product");
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (!aligned((CUdeviceptr)A, promised[0]) || !aligned((CUdeviceptr)B, promised[1]) || !aligned((CUdeviceptr)D, promised[2]) ||
      !aligned(d->bias, promised[3])) {
    explain("cublasLtMatmul on operands that are aligned worse than those that its algorithm was chosen for");
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (bytes < LT_WORKSPACE || C != D || c != out) {
    explain("cublasLtMatmul with a workspace of %zu bytes", bytes);
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const bool ta = d->trans[0], tb = d->trans[1];
  if ((ta ? a->cols : a->rows) != out->rows || (tb ? b->rows : b->cols) != out->cols || (ta ? a->rows : a->cols) != (tb ? b->cols : b->rows)) {
    explain("cublasLtMatmul of matrices whose sizes do not fit each other");
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  Product *p = new_product();
  if (!p) return 3;  // CUBLAS_STATUS_ALLOC_FAILED
  p->ta = ta, p->tb = tb, p->m = out->rows, p->n = out->cols, p->k = ta ? a->rows : a->cols, p->batch = 1;
  p->compute = d->compute, p->alpha = *(const float *)alpha, p->beta = *(const float *)beta;
  p->a = Matrix{(CUdeviceptr)A, a->type, (int)a->ld, 0};
  p->b = Matrix{(CUdeviceptr)B, b->type, (int)b->ld, 0};
  p->c = Matrix{(CUdeviceptr)D, out->type, (int)out->ld, 0};
  p->bias = d->bias, p->scratch = (CUdeviceptr)workspace, p->scratch_bytes = bytes;
  return multiply((CUstream)s, p);
}
