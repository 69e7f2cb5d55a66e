// What the C and C++ of the CUDA packages know of each other.
#ifndef GRAFT_SHIM_H
#define GRAFT_SHIM_H
#ifdef __cplusplus
extern "C" {
#endif

// Each loads its library once; 1 when it is there.
int graft_cuda_load(void);
int graft_cublas_load(void);
// What was loaded, or why not.
const char *graft_cuda_status(void);
const char *graft_cublas_status(void);

// An emulation in the same program fills these in before main; NULL without one.
typedef struct {
  void *(*symbol)(const char *name); // NULL for what it lacks
  const char *(*detail)(void);       // what the last error was about, or ""
} graft_cuda_emulation;
extern const graft_cuda_emulation *graft_cuda_emulated;

#ifdef __cplusplus
}
#endif
#endif
