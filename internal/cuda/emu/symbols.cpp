//go:build gpu && emu && linux

// The functions that are emulated, as the shim finds them. Any other returns CUDA_ERROR_NOT_FOUND.
#include "../shim/shim.h"
#include <string.h>

#define FUNCTIONS \
  F(cuCtxGetCurrent) F(cuCtxSetCurrent) F(cuCtxSynchronize) F(cuDeviceGet) F(cuDeviceGetAttribute) \
  F(cuDeviceGetCount) F(cuDeviceGetName) F(cuDevicePrimaryCtxRelease_v2) F(cuDevicePrimaryCtxRetain) \
  F(cuDeviceTotalMem_v2) F(cuDriverGetVersion) F(cuEventCreate) F(cuEventDestroy_v2) F(cuEventElapsedTime) \
  F(cuEventQuery) F(cuEventRecord) F(cuEventSynchronize) F(cuFuncGetAttribute) F(cuFuncSetAttribute) \
  F(cuGraphDestroy) F(cuGraphExecDestroy) F(cuGraphInstantiateWithFlags) F(cuGraphLaunch) F(cuLaunchKernel) \
  F(cuMemAlloc_v2) F(cuMemFreeHost) F(cuMemFree_v2) F(cuMemGetInfo_v2) F(cuMemHostAlloc) F(cuMemcpyDtoDAsync_v2) \
  F(cuMemcpyDtoD_v2) F(cuMemcpyDtoHAsync_v2) F(cuMemcpyDtoH_v2) F(cuMemcpyHtoDAsync_v2) F(cuMemcpyHtoD_v2) \
  F(cuMemsetD32Async) F(cuMemsetD32_v2) F(cuMemsetD8Async) F(cuMemsetD8_v2) F(cuModuleGetFunction) \
  F(cuModuleLoadData) F(cuModuleLoadDataEx) F(cuModuleUnload) F(cuStreamBeginCapture_v2) F(cuStreamCreate) \
  F(cuStreamDestroy_v2) F(cuStreamEndCapture) F(cuStreamQuery) F(cuStreamSynchronize) F(cuStreamWaitEvent) \
  F(cublasCreate_v2) F(cublasDestroy_v2) F(cublasGemmEx) F(cublasGemmStridedBatchedEx) F(cublasGetVersion_v2) \
  F(cublasLtCreate) F(cublasLtDestroy) F(cublasLtMatmul) F(cublasLtMatmulAlgoGetHeuristic) F(cublasLtMatmulDescCreate) \
  F(cublasLtMatmulDescDestroy) F(cublasLtMatmulDescSetAttribute) F(cublasLtMatmulPreferenceCreate) \
  F(cublasLtMatmulPreferenceDestroy) F(cublasLtMatmulPreferenceSetAttribute) F(cublasLtMatrixLayoutCreate) \
  F(cublasLtMatrixLayoutDestroy) \
  F(cublasSetStream_v2) F(cublasSetWorkspace_v2) F(cuGetErrorName) F(cuGetErrorString)

extern "C" {
#define F(n) __attribute__((visibility("hidden"))) void emu_##n();
FUNCTIONS
#undef F
__attribute__((visibility("hidden"))) const char *emu_detail(void);
}

static void *symbol(const char *name) {
#define F(n) {#n, emu_##n},
  static const struct { const char *name; void (*f)(); } functions[] = {FUNCTIONS};
#undef F
  for (auto &f : functions)
    if (!strcmp(f.name, name)) return (void *)f.f;
  return nullptr;
}

static const graft_cuda_emulation emulation = {symbol, emu_detail};
__attribute__((constructor)) static void offer() { graft_cuda_emulated = &emulation; }
