// What the files of the emulation know of each other.
#pragma once
#include "emulated.hpp"
#include "cuda.h"

namespace emu {

enum { STATIC_SHARED = 48 << 10, MAX_SHARED = 227 << 10 };  // bytes a block may have at compute capability 9.0

// What memory holds before it is written: NaN as float32 and as bfloat16, and what the guards around it hold.
enum : uint32_t { POISON = 0xffa5ffa5 };
void poison(void *p, size_t bytes);
// Whether bytes at p still hold the poison of an address that is a multiple of 4.
bool poisoned(const void *p, size_t bytes);

// The last error in words.
void explain(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Runs one grid. threads is what the PTX allows a block.
CUresult run_grid(const Kernel *k, dim3 grid, dim3 block, unsigned dynamic, unsigned fixed, void **params);
extern bool reverse;  // runs a block's threads last to first
const Kernel *find_kernel(const char *name);

// A kernel as a module holds it.
struct Function {
  const Kernel *kernel;
  char name[128];
  unsigned fixed, dynamic;  // bytes of shared memory: its own, and what a launch may ask for
  int threads;              // of a block at most
  Function *next;
};

// Work that is put off until something waits for it, as on a device that is slow.
struct Stream;
struct Event;
struct Work {
  CUresult (*run)(Work *);
  Work *next;
  size_t bytes;  // of the whole record, for copies of it
};
CUresult enqueue(CUstream s, Work *w);        // takes over w, from new_work; runs it, puts it off or captures it
void *new_work(size_t bytes, CUresult (*run)(Work *));
CUresult drain(Stream *s);                    // does what waits in a stream
CUresult drain_all(bool blocking_only);       // of all of them
CUresult refuse_in_capture(const char *call); // fails while this thread captures
bool capturing();                             // whether this thread captures: most calls that wait fail then
CUresult check_context();                     // an error that stuck, or a thread without a context
CUresult stick(CUresult r);                   // keeps a device's error for all later calls

// Whether [p, p+n) lies in one allocation; says so in words where not.
bool in_device(const char *what, CUdeviceptr p, size_t n);
bool is_pinned(const void *p, size_t n);
CUresult check_guards();

struct Lock {
  Lock();
  ~Lock();
};

}  // namespace emu

#define EMULATED(result) extern "C" __attribute__((visibility("hidden"))) result
