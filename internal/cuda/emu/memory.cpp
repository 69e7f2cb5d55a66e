//go:build gpu && emu && linux

// The device, its contexts and its memory. Device memory is the host's, poisoned and between guards.
#include "machine.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace emu {

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
Lock::Lock() { pthread_mutex_lock(&mutex); }
Lock::~Lock() { pthread_mutex_unlock(&mutex); }

static char explanation[640];
void explain(const char *format, ...) {
  va_list a;
  va_start(a, format);
  vsnprintf(explanation, sizeof explanation, format, a);
  va_end(a);
}

void poison(void *p, size_t bytes) {
  const uint32_t word = POISON;
  char *c = (char *)p, *end = c + bytes;
  for (; c < end && (uintptr_t)c & 3; c++) *c = ((const char *)&word)[(uintptr_t)c & 3];
  for (; c + 4 <= end; c += 4) memcpy(c, &word, 4);
  memcpy(c, &word, end - c);
}

bool poisoned(const void *p, size_t bytes) {
  const uint32_t word = POISON;
  const char *w = (const char *)&word;
  for (size_t i = 0; i < bytes; i++)
    if (((const char *)p)[i] != w[((uintptr_t)p + i) & 3]) return false;
  return true;
}

enum { GUARD = 256 };
struct Allocation {
  char *p;
  size_t bytes, padded;
  Allocation *next;
};
static Allocation *device, *pinned;
static size_t taken, room = (size_t)16 << 30;
static int retained;
static CUresult stuck;
static thread_local CUcontext current;

CUresult stick(CUresult r) {
  if (r && !stuck) stuck = r;
  return r;
}

CUresult check_context() {
  if (stuck) return stuck;
  if (current) return CUDA_SUCCESS;
  explain("no context is current on this thread");
  return CUDA_ERROR_INVALID_CONTEXT;
}

static Allocation **find(Allocation **list, const void *p) {
  for (; *list; list = &(*list)->next)
    if ((*list)->p == p) return list;
  return nullptr;
}

bool in_device(const char *what, CUdeviceptr p, size_t n) {
  for (Allocation *a = device; a; a = a->next) {
    CUdeviceptr base = (CUdeviceptr)a->p;
    if (p < base || p >= base + a->bytes) continue;
    if (n <= base + a->bytes - p) return true;
    explain("%s: %zu bytes at %llu of an allocation of %zu", what, n, p - base, a->bytes);
    return false;
  }
  if (n == 0) return true;
  explain("%s: no allocation of the device holds %#llx", what, p);
  return false;
}

bool is_pinned(const void *p, size_t n) {
  for (Allocation *a = pinned; a; a = a->next)
    if ((const char *)p >= a->p && (const char *)p + n <= a->p + a->bytes) return true;
  return false;
}

// Poison that nothing may read or write, where the address sanitizer runs.
static void forbid(Allocation *a, bool on) {
#if defined(__SANITIZE_ADDRESS__)
  void (*f)(const volatile void *, size_t) = on ? __asan_poison_memory_region : __asan_unpoison_memory_region;
  f(a->p - GUARD, GUARD);
  f(a->p + a->bytes, a->padded - a->bytes + GUARD);
#else
  (void)a, (void)on;
#endif
}

static bool intact(Allocation *a) {
#if !defined(__SANITIZE_ADDRESS__)
  size_t before = 0, after = GUARD + a->padded - a->bytes;
  while (before < GUARD && poisoned(a->p - GUARD + before, 4)) before += 4;
  bool good = before == GUARD && poisoned(a->p + a->bytes, after);
  if (!good) {
    explain("a write %s an allocation of %zu bytes", before < GUARD ? "before" : "past", a->bytes);
    poison(a->p - GUARD, GUARD);  // it is told once
    poison(a->p + a->bytes, after);
  }
  return good;
#else
  (void)a;
  return true;
#endif
}

CUresult check_guards() {
  for (Allocation *a = device; a; a = a->next)
    if (!intact(a)) return stick(CUDA_ERROR_ILLEGAL_ADDRESS);
  return CUDA_SUCCESS;
}

static CUresult allocate(Allocation **list, void **p, size_t n, bool guarded) {
  Allocation *a = (Allocation *)malloc(sizeof *a);
  size_t padded = (n + GUARD - 1) / GUARD * GUARD;
  char *m = (char *)aligned_alloc(GUARD, padded + 2 * GUARD);
  if (!a || !m) {
    free(a), free(m);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  poison(m, padded + 2 * GUARD);
  *a = Allocation{m + GUARD, n, padded, *list};
  if (guarded) forbid(a, true);
  *list = a;
  *p = a->p;
  return CUDA_SUCCESS;
}

static void release(Allocation **at) {
  Allocation *a = *at;
  *at = a->next;
  forbid(a, false);
  free(a->p - GUARD);
  free(a);
}

}  // namespace emu

using namespace emu;

EMULATED(const char *) emu_detail(void) { return explanation; }
// What a test sets and asks: the memory of the device, the threads' order, an error forgotten, what is not freed.
EMULATED(void) emu_set_memory(size_t bytes) { Lock l; room = bytes; }
EMULATED(void) emu_set_reverse(int on) { Lock l; reverse = on; }
EMULATED(void) emu_forgive(void) { Lock l; stuck = CUDA_SUCCESS; explanation[0] = 0; }
EMULATED(int) emu_live(void) { Lock l; int n = 0; for (Allocation *a = device; a; a = a->next) n++; for (Allocation *a = pinned; a; a = a->next) n++; return n; }

EMULATED(CUresult) emu_cuDriverGetVersion(int *v) { *v = 11080; return CUDA_SUCCESS; }
EMULATED(CUresult) emu_cuDeviceGetCount(int *n) { *n = 1; return CUDA_SUCCESS; }
EMULATED(CUresult) emu_cuDeviceGet(CUdevice *d, int i) { *d = i; return i == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE; }
EMULATED(CUresult) emu_cuDeviceGetName(char *s, int n, CUdevice) { snprintf(s, n, "emulated GPU"); return CUDA_SUCCESS; }
EMULATED(CUresult) emu_cuDeviceTotalMem_v2(size_t *n, CUdevice) { Lock l; *n = room; return CUDA_SUCCESS; }

EMULATED(CUresult) emu_cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice) {
  switch ((int)a) {
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *v = 1024; break;
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X: case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: *v = 1024; break;
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: *v = 64; break;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: *v = 0x7fffffff; break;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y: case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: *v = 65535; break;
  case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *v = 32; break;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *v = STATIC_SHARED; break;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *v = MAX_SHARED; break;
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *v = 4; break;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *v = 9; break;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *v = 0; break;
  case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: *v = 1; break;
  default: *v = 0;
  }
  return CUDA_SUCCESS;
}

static CUcontext the_context() { return (CUcontext)&retained; }
EMULATED(CUresult) emu_cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice) { Lock l; retained++; *c = the_context(); return CUDA_SUCCESS; }
EMULATED(CUresult) emu_cuDevicePrimaryCtxRelease_v2(CUdevice) { Lock l; return retained-- > 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT; }
EMULATED(CUresult) emu_cuCtxSetCurrent(CUcontext c) { current = c; return CUDA_SUCCESS; }
EMULATED(CUresult) emu_cuCtxGetCurrent(CUcontext *c) { *c = current; return CUDA_SUCCESS; }

EMULATED(CUresult) emu_cuMemGetInfo_v2(size_t *free, size_t *total) {
  Lock l;
  if (CUresult r = check_context()) return r;
  *total = room;
  *free = room > taken ? room - taken : 0;
  return CUDA_SUCCESS;
}

CUresult emu::refuse_in_capture(const char *what) {
  if (!capturing()) return CUDA_SUCCESS;
  explain("%s while this thread captures", what);
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

EMULATED(CUresult) emu_cuMemAlloc_v2(CUdeviceptr *p, size_t n) {
  Lock l;
  if (CUresult r = check_context()) return r;
  if (CUresult r = refuse_in_capture("cuMemAlloc")) return r;
  if (n == 0) return CUDA_ERROR_INVALID_VALUE;
  if (n > room || taken > room - n) return CUDA_ERROR_OUT_OF_MEMORY;
  void *m;
  if (CUresult r = allocate(&device, &m, n, true)) return r;
  taken += n;
  *p = (CUdeviceptr)m;
  return CUDA_SUCCESS;
}

EMULATED(CUresult) emu_cuMemFree_v2(CUdeviceptr p) {
  Lock l;
  if (CUresult r = check_context()) return r;
  if (CUresult r = refuse_in_capture("cuMemFree")) return r;
  if (!p) return CUDA_SUCCESS;
  if (CUresult r = drain_all(false)) return r;
  Allocation **a = find(&device, (void *)p);
  if (!a) {
    explain("cuMemFree of %#llx, which is no allocation", p);
    return CUDA_ERROR_INVALID_VALUE;
  }
  bool good = intact(*a);
  taken -= (*a)->bytes;
  release(a);
  return good ? CUDA_SUCCESS : stick(CUDA_ERROR_ILLEGAL_ADDRESS);
}

EMULATED(CUresult) emu_cuMemHostAlloc(void **p, size_t n, unsigned) {
  Lock l;
  if (CUresult r = check_context()) return r;
  if (n == 0) return CUDA_ERROR_INVALID_VALUE;
  return allocate(&pinned, p, n, false);
}

EMULATED(CUresult) emu_cuMemFreeHost(void *p) {
  Lock l;
  if (CUresult r = check_context()) return r;
  if (CUresult r = drain_all(false)) return r;
  Allocation **a = find(&pinned, p);
  if (!a) return CUDA_ERROR_INVALID_VALUE;
  bool good = intact(*a);
  release(a);
  return good ? CUDA_SUCCESS : stick(CUDA_ERROR_ILLEGAL_ADDRESS);
}
