//go:build gpu && linux

// The CUDA driver's and cuBLAS's functions as jumps through a table that dlopen fills: a program that runs with and
// without CUDA, and starts as fast as one that knows nothing of it.
#include "shim.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { NO_DEVICE = 100, NOT_FOUND = 500, BLAS_NOT_INITIALIZED = 1, BLAS_NOT_SUPPORTED = 15 };
static int no_driver(void) { return NO_DEVICE; }
static int no_symbol(void) { return NOT_FOUND; }
static int no_blas(void) { return BLAS_NOT_INITIALIZED; }
static int no_blas_symbol(void) { return BLAS_NOT_SUPPORTED; }

#define DRIVER(n) (void *)no_driver,
#define BLAS(n) (void *)no_blas,
__attribute__((visibility("hidden"))) void *graft_cuda_table[] = {
#include "names.h"
};
#undef DRIVER
#undef BLAS
#define DRIVER(n) #n,
#define BLAS(n)
static const char *const driver_names[] = {
#include "names.h"
};
#undef DRIVER
#undef BLAS
#define DRIVER(n)
#define BLAS(n) #n,
static const char *const blas_names[] = {
#include "names.h"
};
enum { DRIVERS = sizeof driver_names / sizeof *driver_names, BLASES = sizeof blas_names / sizeof *blas_names };

const graft_cuda_emulation *graft_cuda_emulated;
static char driver_status[512], blas_status[512];
static int driver_loaded, blas_loaded;

// gorgonia.org/cu calls cuInit as it is linked in and ends the process when that fails, so this one succeeds and does
// nothing: graft_cuda_load initialises the driver.
__attribute__((visibility("hidden"))) int cuInit(unsigned flags) {
  (void)flags;
  return 0;
}

// Opens the library that the environment names, or else the first of a list that is there.
static void *open_library(const char *variable, const char *const *list, char *status, size_t n, const char **found) {
  const char *named = getenv(variable), *first = NULL;
  const char *const only[] = {named, NULL};
  static __thread char reason[400];
  for (list = named && *named ? only : list; *list; list++) {
    void *h = dlopen(*list, RTLD_NOW | RTLD_LOCAL);
    if (h) {
      *found = *list;
      return h;
    }
    if (!first) {
      snprintf(reason, sizeof reason, "%s", dlerror());
      first = reason;
    }
  }
  snprintf(status, n, "%s (%s names another library)", first, variable);
  return NULL;
}

// Fills a part of the table, and returns how many functions the library lacks.
static int fill(void *library, const char *const *names, int n, void **table, void *missing) {
  int lacks = 0;
  for (int i = 0; i < n; i++) {
    void *f = library ? dlsym(library, names[i]) : graft_cuda_emulated->symbol(names[i]);
    table[i] = f ? f : missing;
    lacks += !f;
  }
  return lacks;
}

static void load_driver(void) {
  if (graft_cuda_emulated) {
    fill(NULL, driver_names, DRIVERS, graft_cuda_table, (void *)no_symbol);
    driver_loaded = 1;
    snprintf(driver_status, sizeof driver_status, "emulated on the processor");
    return;
  }
  static const char *const list[] = {"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", NULL};
  const char *found = NULL;
  void *h = open_library("GRAFT_LIBCUDA", list, driver_status, sizeof driver_status, &found);
  if (!h) return;
  int (*init)(unsigned) = (int (*)(unsigned))dlsym(h, "cuInit");
  int r = init ? init(0) : NOT_FOUND;
  if (r) {
    int (*name)(int, const char **) = (int (*)(int, const char **))dlsym(h, "cuGetErrorName");
    const char *text = NULL;
    if (!name || name(r, &text) || !text) text = "unknown error";
    snprintf(driver_status, sizeof driver_status, "%s: cuInit: %s (%d)", found, text, r);
    return;
  }
  int lacks = fill(h, driver_names, DRIVERS, graft_cuda_table, (void *)no_symbol);
  driver_loaded = 1;
  snprintf(driver_status, sizeof driver_status, "%s, without %d of %d functions", found, lacks, DRIVERS);
}

static void load_blas(void) {
  if (graft_cuda_emulated) {
    fill(NULL, blas_names, BLASES, graft_cuda_table + DRIVERS, (void *)no_blas_symbol);
    blas_loaded = 1;
    snprintf(blas_status, sizeof blas_status, "emulated on the processor");
    return;
  }
  static const char *const list[] = {"libcublas.so.13", "libcublas.so.12", "libcublas.so.11",
                                     "/usr/local/cuda/lib64/libcublas.so.13", "/usr/local/cuda/lib64/libcublas.so.12",
                                     "/usr/local/cuda/lib64/libcublas.so.11", "/usr/local/cuda/lib64/libcublas.so", NULL};
  const char *found = NULL;
  void *h = open_library("GRAFT_LIBCUBLAS", list, blas_status, sizeof blas_status, &found);
  if (!h) return;
  int lacks = fill(h, blas_names, BLASES, graft_cuda_table + DRIVERS, (void *)no_blas_symbol);
  blas_loaded = 1;
  snprintf(blas_status, sizeof blas_status, "%s, without %d of %d functions", found, lacks, BLASES);
}

static pthread_once_t driver_once = PTHREAD_ONCE_INIT, blas_once = PTHREAD_ONCE_INIT;

int graft_cuda_load(void) {
  pthread_once(&driver_once, load_driver);
  return driver_loaded;
}

int graft_cublas_load(void) {
  pthread_once(&blas_once, load_blas);
  return blas_loaded;
}

const char *graft_cuda_status(void) { return driver_status; }
const char *graft_cublas_status(void) { return blas_status; }
