//go:build gpu && emu && linux

// A grid on fibers: one fiber for each thread of a block, one block after another. A thread runs until it waits at a
// barrier or for the other lanes of its warp.
#include "machine.h"
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

extern "C" void graft_fiber_switch(void **from, void *to);
#if defined(__x86_64__)
enum { FRAME = 64, ENTRY = 6 };  // 6 registers, the address, and 8 bytes that align the stack
asm(".text\n.globl graft_fiber_switch\n.hidden graft_fiber_switch\n.type graft_fiber_switch,@function\ngraft_fiber_switch:\n"
    "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp,(%rdi)\n  mov %rsi,%rsp\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n  ret\n");
#elif defined(__aarch64__)
enum { FRAME = 160, ENTRY = 11 };
asm(".text\n.globl graft_fiber_switch\n.hidden graft_fiber_switch\n.type graft_fiber_switch,%function\ngraft_fiber_switch:\n"
    "  sub sp,sp,#160\n  stp x19,x20,[sp]\n  stp x21,x22,[sp,#16]\n  stp x23,x24,[sp,#32]\n  stp x25,x26,[sp,#48]\n"
    "  stp x27,x28,[sp,#64]\n  stp x29,x30,[sp,#80]\n  stp d8,d9,[sp,#96]\n  stp d10,d11,[sp,#112]\n"
    "  stp d12,d13,[sp,#128]\n  stp d14,d15,[sp,#144]\n  mov x2,sp\n  str x2,[x0]\n  mov sp,x1\n"
    "  ldp x19,x20,[sp]\n  ldp x21,x22,[sp,#16]\n  ldp x23,x24,[sp,#32]\n  ldp x25,x26,[sp,#48]\n"
    "  ldp x27,x28,[sp,#64]\n  ldp x29,x30,[sp,#80]\n  ldp d8,d9,[sp,#96]\n  ldp d10,d11,[sp,#112]\n"
    "  ldp d12,d13,[sp,#128]\n  ldp d14,d15,[sp,#144]\n  add sp,sp,#160\n  ret\n");
#else
#error "the emulation knows x86-64 and arm64"
#endif

namespace emu {
dim3 thread_index, block_index, block_size, grid_size;
bool reverse;

static const size_t STACK = 256 << 10;
enum { THREADS = 1024, WARPS = 32, ARRAYS = 64, COPIES = 256, GUARD = 64 };

struct Copy { void *to; const void *from; bool valid; int group; };
struct Fiber {
  void *sp;
  char *stack;
  dim3 index;
  bool done;
  unsigned meetings;
  Copy *copies;
  int pending, group;
};
// A warp's meeting point: two sets of words, as a lane may be one meeting ahead of those that still read.
struct Warp {
  unsigned generation, live, arrived;
  const char *what;
  uint32_t words[2][32][8];
};
struct Array { const void *key; const char *name; char *p; size_t bytes; bool used; };

static struct {
  Fiber fibers[THREADS];
  Warp warps[WARPS];
  int n, current;
  void *scheduler;
  const Kernel *kernel;
  void **params;
  unsigned generation, waiting, live;
  const char *place;
  int sum, last_sum;
  Array arrays[ARRAYS];
  int narrays;
  char *dynamic;
  size_t dynamic_bytes, array_bytes, fixed;
  bool progress, failed;
} block;

static Kernel *kernels;

int add_kernel(Kernel *k) {
  k->next = kernels;
  kernels = k;
  return 0;
}

const Kernel *find_kernel(const char *name) {
  for (const Kernel *k = kernels; k; k = k->next)
    if (!strcmp(k->name, name)) return k;
  return nullptr;
}

static void yield() { graft_fiber_switch(&block.fibers[block.current].sp, block.scheduler); }

void fault(const char *format, ...) {
  char text[400];
  va_list a;
  va_start(a, format);
  vsnprintf(text, sizeof text, format, a);
  va_end(a);
  explain("kernel %s, block (%u,%u,%u), thread (%u,%u,%u): %s", block.kernel->name, block_index.x, block_index.y,
          block_index.z, thread_index.x, thread_index.y, thread_index.z, text);
  block.failed = true;
  for (;;) yield();
}

int lane() { return block.current & 31; }

// Lets everybody go who waits at the barrier.
static void open_barrier() {
  block.waiting = 0;
  block.last_sum = block.sum;
  block.sum = 0;
  block.generation++;
}

int barrier_sum(const char *place, int v) {
  if (block.waiting && block.place != place && strcmp(block.place, place))
    fault("waits at the barrier %s, and another thread of its block at %s", place, block.place);
  unsigned g = block.generation;
  block.place = place;
  block.progress = true;
  block.sum += v;
  if (++block.waiting == block.live) open_barrier();
  else while (block.generation == g) yield();
  return block.last_sum;
}

void barrier(const char *place) { barrier_sum(place, 0); }

const uint32_t *meet(const char *what, unsigned mask, const uint32_t *words, int n) {
  Fiber &f = block.fibers[block.current];
  Warp &w = block.warps[block.current >> 5];
  int l = block.current & 31;
  if (w.live & ~mask) fault("%s with the mask %08x, and lanes %08x run: a warp meets as a whole here", what, mask, w.live);
  if (w.arrived && w.what != what && strcmp(w.what, what)) fault("is at %s, and another lane of its warp at %s", what, w.what);
  unsigned set = f.meetings++ & 1, g = w.generation;
  if (n) memcpy(w.words[set][l], words, 4 * n);
  w.what = what;
  block.progress = true;
  w.arrived |= 1u << l;
  if (w.arrived == w.live) {
    w.arrived = 0;
    w.generation++;
  } else {
    while (w.generation == g) yield();
  }
  return w.words[set][0];
}

void *shared_array(const void *key, const char *name, size_t bytes) {
  Array *a = block.arrays, *end = a + block.narrays;
  while (a < end && a->key != key) a++;
  if (a == end) {
    if (block.narrays == ARRAYS) fault("more than %d shared arrays", ARRAYS);
    char *p = (char *)aligned_alloc(128, (bytes + 2 * GUARD + 127) / 128 * 128);
    if (!p) fault("no memory for the shared array %s of %zu bytes", name, bytes);
    *a = Array{key, name, p, bytes, false};
    block.narrays++;
    block.array_bytes += bytes;
    if (block.array_bytes > STATIC_SHARED) fault("its shared arrays take %zu bytes, and a block has %d", block.array_bytes, STATIC_SHARED);
  }
  if (!a->used) poison(a->p, a->bytes + 2 * GUARD), a->used = true;
  return a->p + GUARD;
}

void *dynamic_shared() { return block.dynamic + GUARD; }

void copy_async(void *shared, const void *global, bool valid) {
  Fiber &f = block.fibers[block.current];
  if (((uintptr_t)shared | (uintptr_t)global) & 15) fault("an asynchronous copy of 16 bytes from or to an address that is no multiple of 16");
  if (!f.copies) f.copies = (Copy *)malloc(COPIES * sizeof(Copy));
  if (!f.copies || f.pending == COPIES) fault("more than %d asynchronous copies of one thread under way", COPIES);
  f.copies[f.pending++] = Copy{shared, global, valid, f.group};
}

void copy_async_commit() { block.fibers[block.current].group++; }

void copy_async_wait(int n) {
  Fiber &f = block.fibers[block.current];
  int left = 0;
  for (int i = 0; i < f.pending; i++) {
    Copy c = f.copies[i];
    if (c.group >= f.group - n) f.copies[left++] = c;
    else if (c.valid) memcpy(c.to, c.from, 16);
    else memset(c.to, 0, 16);
  }
  f.pending = left;
}

// A thread's end: those who still wait do so without it.
static void finish() {
  Fiber &f = block.fibers[block.current];
  Warp &w = block.warps[block.current >> 5];
  if (f.pending) fault("ends with asynchronous copies that it never waited for");
  f.done = true;
  block.progress = true;
  block.live--;
  w.live &= ~(1u << (block.current & 31));
  if (w.live && w.arrived == w.live) w.arrived = 0, w.generation++;
  if (block.live && block.waiting == block.live) open_barrier();
}

static void thread_main() {
  block.kernel->run(block.params);
  finish();
  for (;;) yield();
}

static bool start_fiber(Fiber &f, int i) {
  if (!f.stack) {
    void *s = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s == MAP_FAILED) return false;
    f.stack = (char *)s;
  }
  f.done = false;
  f.meetings = 0;
  f.pending = f.group = 0;
  f.index = dim3{i % block_size.x, i / block_size.x % block_size.y, i / (block_size.x * block_size.y)};
  uint64_t *sp = (uint64_t *)(f.stack + STACK - FRAME);
  memset(sp, 0, FRAME);
  sp[ENTRY] = (uint64_t)thread_main;
  f.sp = sp;
  return true;
}

// What a block's end shows: writes past shared arrays.
static bool shared_intact() {
  for (int i = 0; i < block.narrays; i++) {
    Array &a = block.arrays[i];
    if (a.used && !(poisoned(a.p, GUARD) && poisoned(a.p + GUARD + a.bytes, GUARD))) {
      explain("kernel %s, block (%u,%u,%u): a write outside the shared array %s of %zu bytes", block.kernel->name,
              block_index.x, block_index.y, block_index.z, a.name, a.bytes);
      return false;
    }
    a.used = false;
  }
  if (!(poisoned(block.dynamic, GUARD) && poisoned(block.dynamic + GUARD + block.dynamic_bytes, GUARD))) {
    explain("kernel %s, block (%u,%u,%u): a write outside its %zu bytes of dynamic shared memory", block.kernel->name,
            block_index.x, block_index.y, block_index.z, block.dynamic_bytes);
    return false;
  }
  return true;
}

static CUresult run_block() {
  block.generation = block.waiting = 0;
  block.sum = block.last_sum = 0;
  block.live = block.n;
  poison(block.dynamic, block.dynamic_bytes + 2 * GUARD);
  for (int i = 0; i < (block.n + 31) / 32; i++) {
    Warp &w = block.warps[i];
    int lanes = block.n - 32 * i;
    w.generation = w.arrived = 0;
    w.live = lanes >= 32 ? ~0u : (1u << lanes) - 1;
  }
  for (int i = 0; i < block.n; i++)
    if (!start_fiber(block.fibers[i], i)) {
      explain("no memory for the stacks of %d threads", block.n);
      return CUDA_ERROR_OUT_OF_MEMORY;
    }
  while (block.live) {
    block.progress = false;
    for (int j = 0; j < block.n; j++) {
      int i = reverse ? block.n - 1 - j : j;
      Fiber &f = block.fibers[i];
      if (f.done) continue;
      block.current = i;
      thread_index = f.index;
      graft_fiber_switch(&block.scheduler, f.sp);
      if (block.failed) return CUDA_ERROR_LAUNCH_FAILED;
    }
    if (!block.progress) {
      explain("kernel %s, block (%u,%u,%u): %u of %u threads that still run wait at the barrier %s, the others for lanes of their warps",
              block.kernel->name, block_index.x, block_index.y, block_index.z, block.waiting, block.live,
              block.waiting ? block.place : "none");
      return CUDA_ERROR_LAUNCH_FAILED;
    }
  }
  return shared_intact() ? CUDA_SUCCESS : CUDA_ERROR_ILLEGAL_ADDRESS;
}

CUresult run_grid(const Kernel *k, dim3 grid, dim3 size, unsigned dynamic, unsigned fixed, void **params) {
  block.kernel = k;
  block.params = params;
  block.n = size.x * size.y * size.z;
  block.failed = false;
  block.fixed = fixed;
  block.array_bytes = 0;
  block.dynamic_bytes = dynamic;
  block.dynamic = (char *)aligned_alloc(128, (dynamic + 2 * GUARD + 127) / 128 * 128);
  if (!block.dynamic) return CUDA_ERROR_OUT_OF_MEMORY;
  block_size = size;
  grid_size = grid;
  CUresult r = CUDA_SUCCESS;
  for (unsigned z = 0; z < grid.z && !r; z++)
    for (unsigned y = 0; y < grid.y && !r; y++)
      for (unsigned x = 0; x < grid.x && !r; x++) {
        block_index = dim3{x, y, z};
        r = run_block();
      }
  free(block.dynamic);
  for (int i = 0; i < block.narrays; i++) free(block.arrays[i].p);
  block.narrays = 0;
  return r;
}

}  // namespace emu
