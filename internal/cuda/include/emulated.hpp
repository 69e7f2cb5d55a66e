// CUDA C++ for the processor: what kernels of this module use of it, on the fibers of internal/cuda/emu. The lanes of a
// warp must meet at a warp function all together: a mask that leaves out a running lane is reported as a fault.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct dim3 { unsigned x, y, z; };
struct alignas(8) float2 { float x, y; };
struct float3 { float x, y, z; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(4) ushort2 { unsigned short x, y; };
struct alignas(8) ushort4 { unsigned short x, y, z, w; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline int2 make_int2(int x, int y) { return {x, y}; }
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

namespace emu {
extern dim3 thread_index, block_index, block_size, grid_size;

// A kernel of this program: its function as f(parameters), the bytes of each parameter, the threads of a block or 0.
struct Kernel {
  const char *name;
  void (*run)(void **);
  int params;
  const unsigned *sizes;
  int threads;
  Kernel *next;
};
int add_kernel(Kernel *k);

// Stops the launch; never returns.
[[noreturn]] void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

void *shared_array(const void *key, const char *name, size_t bytes);
void *dynamic_shared();

void barrier(const char *place);
int barrier_sum(const char *place, int v);
int lane();
// Hands over n words and returns those of all lanes: lane l's are at [8·l].
const uint32_t *meet(const char *what, unsigned mask, const uint32_t *words, int n);
void copy_async(void *shared, const void *global, bool valid);
void copy_async_commit();
void copy_async_wait(int n);

uint16_t round_bf16(float f);
uint32_t round_tf32(float f);
void mma_bf16(float *c, const uint32_t *a, const uint32_t *b);
void mma_tf32(float *c, const uint32_t *a, const uint32_t *b);
void load_matrix(uint32_t *r, const void *row, int matrices, bool transposed);

template <int... I> struct Indices {};
template <int N, int... I> struct Count : Count<N - 1, N - 1, I...> {};
template <int... I> struct Count<0, I...> { typedef Indices<I...> type; };
template <class... A, int... I> inline void apply(void (*f)(A...), void **p, Indices<I...>) { f(*(A *)p[I]...); }
template <class... A> inline void call(void (*f)(A...), void **p) { apply(f, p, typename Count<sizeof...(A)>::type()); }
template <class... A> struct Parameters {
  static constexpr unsigned sizes[] = {sizeof(A)..., 0};
};
template <class... A> constexpr unsigned Parameters<A...>::sizes[];
template <class... A> inline Kernel describe(const char *name, void (*run)(void **), int threads, void (*)(A...)) {
  return Kernel{name, run, (int)sizeof...(A), Parameters<A...>::sizes, threads, nullptr};
}

template <class T> inline T from_lane(const char *what, unsigned mask, T v, int source) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a warp exchanges 4 or 8 bytes");
  uint32_t w[2] = {};
  memcpy(w, &v, sizeof v);
  const uint32_t *all = meet(what, mask, w, sizeof v / 4);
  memcpy(&v, all + 8 * source, sizeof v);
  return v;
}
template <class T, class F> inline T reduce(const char *what, unsigned mask, T v, F f) {
  const uint32_t *all = meet(what, mask, (uint32_t *)&v, 1);
  bool first = true;
  for (int l = 0; l < 32; l++)
    if (mask >> l & 1) {
      v = first ? (T)all[8 * l] : f(v, (T)all[8 * l]);
      first = false;
    }
  return v;
}
}  // namespace emu

#define KERNEL(name, params) KERNEL_OF(0, name, params)
#define KERNEL_OF(threads, name, params)                                                                \
  static void name params;                                                                              \
  static void emulated_##name(void **p) { emu::call(name, p); }                                         \
  static emu::Kernel kernel_##name = emu::describe(#name, emulated_##name, threads, name);              \
  __attribute__((used)) static int added_##name = emu::add_kernel(&kernel_##name);                      \
  static void name params
#define SHARED(type, name, dims)                                                                        \
  typedef type name##_type dims;                                                                        \
  static const char name##_key = 0;                                                                     \
  name##_type &name = *(name##_type *)emu::shared_array(&name##_key, #name, sizeof(name##_type))
#define DYNAMIC_SHARED(type, name) type *name = (type *)emu::dynamic_shared()

#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define threadIdx emu::thread_index
#define blockIdx emu::block_index
#define blockDim emu::block_size
#define gridDim emu::grid_size
#define warpSize 32

#define EMULATED_TEXT(x) #x
#define EMULATED_LINE(x) EMULATED_TEXT(x)
#define EMULATED_PLACE __FILE__ ":" EMULATED_LINE(__LINE__)
#define __syncthreads() emu::barrier(EMULATED_PLACE)
#define __syncthreads_count(p) emu::barrier_sum(EMULATED_PLACE, !!(p))
#define __syncthreads_or(p) (emu::barrier_sum(EMULATED_PLACE, !!(p)) != 0)
#define __syncthreads_and(p) (emu::barrier_sum(EMULATED_PLACE, !(p)) == 0)
#define __syncwarp(...) emu::meet("__syncwarp " EMULATED_PLACE, ~0u, nullptr, 0)
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T> inline T __shfl_sync(unsigned mask, T v, int source, int width = 32) {
  int l = emu::lane();
  return emu::from_lane("__shfl_sync", mask, v, (l & ~(width - 1)) + (source & (width - 1)));
}
template <class T> inline T __shfl_xor_sync(unsigned mask, T v, int x, int width = 32) {
  int l = emu::lane(), s = l ^ x;
  return emu::from_lane("__shfl_xor_sync", mask, v, s < (l & ~(width - 1)) + width ? s : l);
}
template <class T> inline T __shfl_down_sync(unsigned mask, T v, unsigned d, int width = 32) {
  int l = emu::lane();
  return emu::from_lane("__shfl_down_sync", mask, v, (l & (width - 1)) + (int)d < width ? l + (int)d : l);
}
template <class T> inline T __shfl_up_sync(unsigned mask, T v, unsigned d, int width = 32) {
  int l = emu::lane();
  return emu::from_lane("__shfl_up_sync", mask, v, (l & (width - 1)) >= (int)d ? l - (int)d : l);
}
inline unsigned __ballot_sync(unsigned mask, int p) {
  uint32_t w = p != 0, r = 0;
  const uint32_t *all = emu::meet("__ballot_sync", mask, &w, 1);
  for (int l = 0; l < 32; l++) r |= (mask >> l & 1 & all[8 * l]) << l;
  return r;
}
inline int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
inline int __all_sync(unsigned mask, int p) { return __ballot_sync(mask, !p) == 0; }
template <class T> inline T __reduce_add_sync(unsigned m, T v) {
  return emu::reduce("__reduce_add_sync", m, v, [](T a, T b) { return (T)(a + b); });
}
template <class T> inline T __reduce_min_sync(unsigned m, T v) {
  return emu::reduce("__reduce_min_sync", m, v, [](T a, T b) { return b < a ? b : a; });
}
template <class T> inline T __reduce_max_sync(unsigned m, T v) {
  return emu::reduce("__reduce_max_sync", m, v, [](T a, T b) { return a < b ? b : a; });
}
inline unsigned __reduce_and_sync(unsigned m, unsigned v) {
  return emu::reduce("__reduce_and_sync", m, v, [](unsigned a, unsigned b) { return a & b; });
}
inline unsigned __reduce_or_sync(unsigned m, unsigned v) {
  return emu::reduce("__reduce_or_sync", m, v, [](unsigned a, unsigned b) { return a | b; });
}
inline unsigned __reduce_xor_sync(unsigned m, unsigned v) {
  return emu::reduce("__reduce_xor_sync", m, v, [](unsigned a, unsigned b) { return a ^ b; });
}

// Fibers change only where a thread waits, so that a read and a write in a row are atomic.
template <class T, class V> inline T emulated_atomic(T *p, V v) { T old = *p; *p = (T)v; return old; }
inline float atomicAdd(float *p, float v) { return emulated_atomic(p, *p + v); }
inline double atomicAdd(double *p, double v) { return emulated_atomic(p, *p + v); }
inline int atomicAdd(int *p, int v) { return emulated_atomic(p, *p + v); }
inline unsigned atomicAdd(unsigned *p, unsigned v) { return emulated_atomic(p, *p + v); }
inline unsigned long long atomicAdd(unsigned long long *p, unsigned long long v) { return emulated_atomic(p, *p + v); }
template <class T> inline T atomicMax(T *p, T v) { return emulated_atomic(p, *p < v ? v : *p); }
template <class T> inline T atomicMin(T *p, T v) { return emulated_atomic(p, v < *p ? v : *p); }
template <class T> inline T atomicExch(T *p, T v) { return emulated_atomic(p, v); }
template <class T> inline T atomicCAS(T *p, T compare, T v) { return emulated_atomic(p, *p == compare ? v : *p); }
template <class T> inline T atomicOr(T *p, T v) { return emulated_atomic(p, *p | v); }
template <class T> inline T atomicAnd(T *p, T v) { return emulated_atomic(p, *p & v); }

inline float __uint_as_float(unsigned u) { float f; memcpy(&f, &u, 4); return f; }
inline float __int_as_float(int i) { return __uint_as_float((unsigned)i); }
inline unsigned __float_as_uint(float f) { unsigned u; memcpy(&u, &f, 4); return u; }
inline int __float_as_int(float f) { return (int)__float_as_uint(f); }
inline float rsqrtf(float x) { return 1.f / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.f / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline int __float2int_rn(float x) { return (int)rintf(x); }
inline int __float2int_rd(float x) { return (int)floorf(x); }
inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __clz(int v) { return v ? __builtin_clz((unsigned)v) : 32; }
inline int __ffs(int v) { return __builtin_ffs(v); }
template <class T> inline T __ldg(const T *p) { return *p; }
inline int min(int a, int b) { return b < a ? b : a; }
inline int max(int a, int b) { return a < b ? b : a; }
inline unsigned min(unsigned a, unsigned b) { return b < a ? b : a; }
inline unsigned max(unsigned a, unsigned b) { return a < b ? b : a; }
inline long long min(long long a, long long b) { return b < a ? b : a; }
inline long long max(long long a, long long b) { return a < b ? b : a; }
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
