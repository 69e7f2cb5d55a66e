//go:build gpu && emu && linux

// Copies and fills.
#include "machine.h"
#include <stdio.h>

namespace emu {

enum Kind { TO_DEVICE, TO_HOST, WITHIN };
static const char *const names[] = {"cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync", "cuMemcpyDtoDAsync"};

struct Transfer {
  Work w;
  Kind kind;
  void *to;
  const void *from;
  size_t n;
  char staged[];  // of pageable memory, which the driver has read when the call returns
};

static CUresult in_range(Kind kind, void *to, const void *from, size_t n) {
  if (kind != TO_HOST && !in_device(names[kind], (CUdeviceptr)to, n)) return CUDA_ERROR_INVALID_VALUE;
  if (kind != TO_DEVICE && !in_device(names[kind], (CUdeviceptr)from, n)) return CUDA_ERROR_INVALID_VALUE;
  return CUDA_SUCCESS;
}

static CUresult run_transfer(Work *w) {
  Transfer *t = (Transfer *)w;
  if (CUresult r = in_range(t->kind, t->to, t->from ? t->from : t->staged, t->n)) return r;
  memmove(t->to, t->from ? t->from : t->staged, t->n);
  return CUDA_SUCCESS;
}

static CUresult transfer(Kind kind, void *to, const void *from, size_t n, CUstream s) {
  Lock l;
  if (CUresult r = check_context()) return r;
  if (CUresult r = in_range(kind, to, from, n)) return r;
  bool stage = kind == TO_DEVICE && !is_pinned(from, n);
  Transfer *t = (Transfer *)new_work(sizeof(Transfer) + (stage ? n : 0), run_transfer);
  if (t) {
    t->kind = kind;
    t->to = to;
    t->n = n;
    if (stage) memcpy(t->staged, from, n);
    else t->from = from;
  }
  return enqueue(s, &t->w);
}

// The copies without a stream wait for those that block, as the null stream does.
static CUresult transfer_now(Kind kind, void *to, const void *from, size_t n) {
  Lock l;
  if (CUresult r = check_context()) return r;
  if (capturing()) {
    explain("a copy that waits, while this thread captures");
    return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
  }
  if (CUresult r = in_range(kind, to, from, n)) return r;
  if (CUresult r = drain_all(true)) return r;
  memmove(to, from, n);
  return CUDA_SUCCESS;
}

struct Fill { Work w; CUdeviceptr to; unsigned value, size; size_t n; };
static CUresult run_fill(Work *w) {
  Fill *f = (Fill *)w;
  if (!in_device("cuMemset", f->to, f->n * f->size)) return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < f->n; i++) memcpy((char *)f->to + i * f->size, &f->value, f->size);
  return CUDA_SUCCESS;
}

static CUresult fill(CUdeviceptr to, unsigned value, unsigned size, size_t n, CUstream s) {
  Lock l;
  if (CUresult r = check_context()) return r;
  if (to % size || !in_device("cuMemset", to, n * size)) return CUDA_ERROR_INVALID_VALUE;
  Fill *f = (Fill *)new_work(sizeof *f, run_fill);
  if (f) f->to = to, f->value = value, f->size = size, f->n = n;
  return enqueue(s, &f->w);
}

}  // namespace emu

using namespace emu;

EMULATED(CUresult) emu_cuMemcpyHtoD_v2(CUdeviceptr d, const void *s, size_t n) { return transfer_now(TO_DEVICE, (void *)d, s, n); }
EMULATED(CUresult) emu_cuMemcpyDtoH_v2(void *d, CUdeviceptr s, size_t n) { return transfer_now(TO_HOST, d, (void *)s, n); }
EMULATED(CUresult) emu_cuMemcpyDtoD_v2(CUdeviceptr d, CUdeviceptr s, size_t n) { return transfer_now(WITHIN, (void *)d, (void *)s, n); }
EMULATED(CUresult) emu_cuMemcpyHtoDAsync_v2(CUdeviceptr d, const void *s, size_t n, CUstream st) { return transfer(TO_DEVICE, (void *)d, s, n, st); }
EMULATED(CUresult) emu_cuMemcpyDtoHAsync_v2(void *d, CUdeviceptr s, size_t n, CUstream st) { return transfer(TO_HOST, d, (void *)s, n, st); }
EMULATED(CUresult) emu_cuMemcpyDtoDAsync_v2(CUdeviceptr d, CUdeviceptr s, size_t n, CUstream st) { return transfer(WITHIN, (void *)d, (void *)s, n, st); }
EMULATED(CUresult) emu_cuMemsetD8_v2(CUdeviceptr d, unsigned char v, size_t n) { return fill(d, v, 1, n, nullptr); }
EMULATED(CUresult) emu_cuMemsetD32_v2(CUdeviceptr d, unsigned v, size_t n) { return fill(d, v, 4, n, nullptr); }
EMULATED(CUresult) emu_cuMemsetD8Async(CUdeviceptr d, unsigned char v, size_t n, CUstream s) { return fill(d, v, 1, n, s); }
EMULATED(CUresult) emu_cuMemsetD32Async(CUdeviceptr d, unsigned v, size_t n, CUstream s) { return fill(d, v, 4, n, s); }
