// The part of cuBLAS's interface that package cuda calls: declarations of our own, with the numbers of the enumerations
// (https://docs.nvidia.com/cuda/cublas), alike in cuBLAS 11, 12 and 13.
#ifndef GRAFT_CUBLAS_H
#define GRAFT_CUBLAS_H
#include <stddef.h>

typedef struct cublasContext *cublasHandle_t;
typedef int cublasStatus_t;

enum { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_NOT_INITIALIZED = 1, CUBLAS_STATUS_INVALID_VALUE = 7 };
enum { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum { CUDA_R_32F = 0, CUDA_R_16BF = 14 };
enum { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_32F_FAST_TF32 = 77, CUBLAS_GEMM_DEFAULT = -1 };

cublasStatus_t cublasCreate_v2(cublasHandle_t *);
cublasStatus_t cublasDestroy_v2(cublasHandle_t);
cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int *);
cublasStatus_t cublasSetStream_v2(cublasHandle_t, void *);
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t, void *, size_t);
cublasStatus_t cublasGemmEx(cublasHandle_t, int, int, int, int, int, const void *, const void *, int, int, const void *,
  int, int, const void *, void *, int, int, int, int);
cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t, int, int, int, int, int, const void *, const void *, int, int,
  long long, const void *, int, int, long long, const void *, void *, int, int, long long, int, int, int);

#endif
