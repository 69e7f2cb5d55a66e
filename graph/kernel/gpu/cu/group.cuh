// The threads that work on one row together, and how they agree on a number. Every reduction takes the same order each
// time, and each thread of the group gets the same bits.
#pragma once
#include "device.cuh"

struct Sum {
  template <class T> static __device__ __forceinline__ T none() { return T(0); }
  template <class T> static __device__ __forceinline__ T of(T a, T b) { return a + b; }
};

// Largest leaves NaN out, as fmaxf does.
struct Largest {
  template <class T> static __device__ __forceinline__ T none() { return -__int_as_float(0x7f800000); }
  template <class T> static __device__ __forceinline__ T of(T a, T b) { return fmaxf(a, b); }
};

// Warp is a group of 32 threads: a row each.
struct Warp {
  static __device__ __forceinline__ int rank() { return threadIdx.x & 31; }
  static __device__ __forceinline__ int size() { return 32; }
  static __device__ __forceinline__ long long row() {
    return blockIdx.x * (long long)(blockDim.x >> 5) + (threadIdx.x >> 5);
  }
  template <class Op, class T> static __device__ __forceinline__ T reduce(T v) {
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) v = Op::of(v, __shfl_xor_sync(ALL_LANES, v, o));
    return v;
  }
};

// Block is a group of all threads of a block, a multiple of 32: for long rows.
struct Block {
  static __device__ __forceinline__ int rank() { return threadIdx.x; }
  static __device__ __forceinline__ int size() { return blockDim.x; }
  static __device__ __forceinline__ long long row() { return blockIdx.x; }
  template <class Op, class T> static __device__ __forceinline__ T reduce(T v) {
    SHARED(T, part, [32]);
    int lane = threadIdx.x & 31;
    v = Warp::reduce<Op>(v);
    __syncthreads();  // the last reduction has been read
    if (lane == 0) part[threadIdx.x >> 5] = v;
    __syncthreads();
    return Warp::reduce<Op>(lane < int(blockDim.x >> 5) ? part[lane] : Op::template none<T>());
  }
};

// Vec is W neighbouring elements: by one access where W is 4, which asks for addresses that are multiples of 16.
template <int W> struct Vec {
  float v[W];
};

template <int W> DEVICE Vec<W> load(const float* p) {
  if constexpr (W == 4) {
    float4 f = *reinterpret_cast<const float4*>(p);
    return Vec<4>{{f.x, f.y, f.z, f.w}};
  } else {
    return Vec<1>{{*p}};
  }
}
DEVICE void store(float* p, Vec<1> x) { *p = x.v[0]; }
DEVICE void store(float* p, Vec<4> x) {
  *reinterpret_cast<float4*>(p) = make_float4(x.v[0], x.v[1], x.v[2], x.v[3]);
}

// misaligned collects the addresses' low bits: zero where all of them are multiples of 16 bytes, as a null pointer is.
DEVICE unsigned misaligned(const void* a) { return (unsigned)(unsigned long long)a & 15u; }
template <class... P> DEVICE unsigned misaligned(const void* a, P... more) {
  return misaligned(a) | misaligned(more...);
}
