//go:build gpu && emu && linux

// Modules: the kernels that a PTX names and this program holds too, and their launches.
#include "machine.h"
#include <stdio.h>

namespace emu {

struct Module { char *ptx; Function *functions; };

// The entry of a kernel in PTX: ".entry name(" or ".entry name(\n", up to the next entry.
static const char *find_entry(const char *ptx, const char *name) {
  size_t n = strlen(name);
  for (const char *p = ptx; (p = strstr(p, ".entry ")); p++)
    if (!strncmp(p + 7, name, n) && (p[7 + n] == '(' || p[7 + n] == ' ' || p[7 + n] == '\n')) return p + 7 + n;
  return nullptr;
}

static unsigned type_bytes(const char *t) {
  while (*t == '.' || (*t >= 'a' && *t <= 'z')) t++;
  int bits = atoi(t);
  return bits / 8;
}

// The sizes of an entry's parameters: ".param .u64 name_param_0, …)".
static int entry_params(const char *entry, unsigned *sizes, int max) {
  const char *end = strchr(entry, ')');
  int n = 0;
  for (const char *p = entry; end && (p = strstr(p, ".param ")) && p < end && n < max; p += 7) sizes[n++] = type_bytes(p + 7);
  return n;
}

static unsigned number_after(const char *from, const char *end, const char *what) {
  const char *p = strstr(from, what);
  return p && p < end ? (unsigned)strtoul(p + strlen(what), nullptr, 10) : 0;
}

// Bytes of the ".shared .align 4 .b8 name[N];" between two places.
static unsigned shared_bytes(const char *from, const char *end) {
  unsigned n = 0;
  for (const char *p = from; (p = strstr(p, ".shared .align")) && p < end; p++) {
    const char *open = strpbrk(p, "[;");
    if (open && *open == '[') n += (unsigned)strtoul(open + 1, nullptr, 10);
  }
  return n;
}

// Reads what a launch is held to, and holds the PTX against this program's kernel.
static CUresult describe(Function *f, const char *entry) {
  const char *end = strstr(entry, ".entry ");
  if (!end) end = entry + strlen(entry);
  unsigned sizes[64];
  int n = entry_params(entry, sizes, 64);
  bool same = n == f->kernel->params;
  for (int i = 0; same && i < n; i++) same = sizes[i] == f->kernel->sizes[i];
  if (!same) {
    explain("kernel %s: the PTX has other parameters than its source: make it anew", f->name);
    return CUDA_ERROR_INVALID_PTX;
  }
  f->fixed = shared_bytes(entry, end);
  if (f->fixed > STATIC_SHARED) {
    explain("kernel %s: shared arrays of %u bytes, and a block has %d", f->name, f->fixed, STATIC_SHARED);
    return CUDA_ERROR_INVALID_PTX;
  }
  const char *body = strchr(entry, '{');
  unsigned most = number_after(entry, body ? body : end, ".maxntid ");
  f->threads = most ? (int)most : 1024;
  f->dynamic = STATIC_SHARED - f->fixed;
  return CUDA_SUCCESS;
}

struct Launch {
  Work w;
  Function function;
  dim3 grid, block;
  unsigned dynamic;
  uint64_t values[];
};

static CUresult run_launch(Work *w) {
  Launch *l = (Launch *)w;
  void *params[64];
  for (int i = 0; i < l->function.kernel->params; i++) params[i] = &l->values[i];
  return run_grid(l->function.kernel, l->grid, l->block, l->dynamic, l->function.fixed, params);
}

static bool launchable(const Function *f, dim3 g, dim3 b, unsigned dynamic) {
  uint64_t threads = (uint64_t)b.x * b.y * b.z;
  if (!g.x || !g.y || !g.z || g.x > 0x7fffffff || g.y > 65535 || g.z > 65535)
    explain("kernel %s: a grid of %u x %u x %u blocks", f->name, g.x, g.y, g.z);
  else if (!threads || threads > (uint64_t)f->threads || b.x > 1024 || b.y > 1024 || b.z > 64)
    explain("kernel %s: blocks of %u x %u x %u threads, and it takes %d", f->name, b.x, b.y, b.z, f->threads);
  else if (dynamic > f->dynamic)
    explain("kernel %s: %u bytes of dynamic shared memory, and it may have %u: see cuFuncSetAttribute", f->name, dynamic, f->dynamic);
  else
    return true;
  return false;
}

}  // namespace emu

using namespace emu;

EMULATED(CUresult) emu_cuModuleLoadData(CUmodule *out, const void *image) {
  Lock l;
  if (CUresult r = check_context()) return r;
  if (CUresult r = refuse_in_capture("cuModuleLoadData")) return r;
  const char *ptx = (const char *)image;
  if (!strstr(ptx, ".version ") || !strstr(ptx, ".target sm_")) {
    explain("the image is no PTX");
    return CUDA_ERROR_INVALID_IMAGE;
  }
  Module *m = (Module *)calloc(1, sizeof *m);
  if (!m || !(m->ptx = strdup(ptx))) {
    free(m);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *out = (CUmodule)m;
  return CUDA_SUCCESS;
}

EMULATED(CUresult) emu_cuModuleLoadDataEx(CUmodule *out, const void *image, unsigned, CUjit_option *, void **) {
  return emu_cuModuleLoadData(out, image);
}

EMULATED(CUresult) emu_cuModuleUnload(CUmodule handle) {
  Lock l;
  if (CUresult r = refuse_in_capture("cuModuleUnload")) return r;
  CUresult r = drain_all(false);
  Module *m = (Module *)handle;
  for (Function *f = m->functions; f;) {
    Function *next = f->next;
    free(f);
    f = next;
  }
  free(m->ptx);
  free(m);
  return r;
}

EMULATED(CUresult) emu_cuModuleGetFunction(CUfunction *out, CUmodule handle, const char *name) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Module *m = (Module *)handle;
  for (Function *f = m->functions; f; f = f->next)
    if (!strcmp(f->name, name)) {
      *out = (CUfunction)f;
      return CUDA_SUCCESS;
    }
  const char *entry = find_entry(m->ptx, name);
  const Kernel *k = find_kernel(name);
  if (!entry || !k) {
    explain("kernel %s is not in %s", name, entry ? "this program" : "the PTX");
    return CUDA_ERROR_NOT_FOUND;
  }
  Function *f = (Function *)calloc(1, sizeof *f);
  if (!f) return CUDA_ERROR_OUT_OF_MEMORY;
  f->kernel = k;
  snprintf(f->name, sizeof f->name, "%s", name);
  if (CUresult r = describe(f, entry)) {
    free(f);
    return r;
  }
  f->next = m->functions;
  m->functions = f;
  *out = (CUfunction)f;
  return CUDA_SUCCESS;
}

EMULATED(CUresult) emu_cuFuncSetAttribute(CUfunction handle, CUfunction_attribute a, int v) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Function *f = (Function *)handle;
  if (a != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_SUCCESS;
  if (v < 0 || (unsigned)v > MAX_SHARED - f->fixed) {
    explain("kernel %s: %d bytes of dynamic and %u of other shared memory, and a block has %d", f->name, v, f->fixed, MAX_SHARED);
    return CUDA_ERROR_INVALID_VALUE;
  }
  f->dynamic = (unsigned)v;
  return CUDA_SUCCESS;
}

EMULATED(CUresult) emu_cuFuncGetAttribute(int *v, CUfunction_attribute a, CUfunction handle) {
  Function *f = (Function *)handle;
  switch ((int)a) {
  case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *v = f->threads; break;
  case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *v = (int)f->fixed; break;
  case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *v = (int)f->dynamic; break;
  default: *v = 0;
  }
  return CUDA_SUCCESS;
}

EMULATED(CUresult) emu_cuLaunchKernel(CUfunction handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                      unsigned bz, unsigned dynamic, CUstream s, void **params, void **) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Function *f = (Function *)handle;
  dim3 grid = {gx, gy, gz}, block = {bx, by, bz};
  if (!launchable(f, grid, block, dynamic)) return CUDA_ERROR_INVALID_VALUE;
  Launch *w = (Launch *)new_work(sizeof(Launch) + sizeof(uint64_t) * f->kernel->params, run_launch);
  if (w) {
    w->function = *f;
    w->grid = grid;
    w->block = block;
    w->dynamic = dynamic;
    for (int i = 0; i < f->kernel->params; i++) memcpy(&w->values[i], params[i], f->kernel->sizes[i]);
  }
  return enqueue(s, &w->w);
}
