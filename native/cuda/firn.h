// What all kernels share: element types, 16-byte access, sums over a block, random masks. Compiles with NVRTC alone, without
// any of CUDA's headers, and with a C++ compiler after shim/shim.h.
#pragma once

#ifndef FIRN_SHIM
#define FIRN_DEVICE __device__ __forceinline__
#define FIRN_KERNEL(entry, Args)
extern __shared__ __align__(16) unsigned char firn_shared[];
#endif

struct bf16 { unsigned short bits; };
struct f16 { unsigned short bits; };

// V neighbours of one type, moved by as few accesses as there can be; at most 16 bytes each.
template <class T, int V> struct alignas(sizeof(T) * V < 16 ? sizeof(T) * V : 16) Pack { T at[V]; };

FIRN_DEVICE float get(float x) { return x; }
FIRN_DEVICE float get(unsigned char x) { return x; }
FIRN_DEVICE float get(bf16 x) { return __uint_as_float((unsigned) x.bits << 16); }

FIRN_DEVICE void put(float& to, float x) { to = x; }

// Rounded to nearest even, as every store.
#ifdef FIRN_SHIM
FIRN_DEVICE float get(f16 x) { return shim::half_to_float(x.bits); }
FIRN_DEVICE void put(f16& to, float x) { to.bits = shim::float_to_half(x); }
FIRN_DEVICE void put(bf16& to, float x) { to.bits = shim::float_to_bf16(x); }
#else
FIRN_DEVICE float get(f16 x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits)); return y; }
FIRN_DEVICE void put(f16& to, float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(x)); }
FIRN_DEVICE void put(bf16& to, float x) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(x)); }
#endif

template <int V, class T> FIRN_DEVICE Pack<T, V> load(const T* from) { return *reinterpret_cast<const Pack<T, V>*>(from); }
template <int V, class T> FIRN_DEVICE void store(T* to, const Pack<T, V>& x) { *reinterpret_cast<Pack<T, V>*>(to) = x; }

// V elements of a vector, whose place has no alignment but its element's.
template <int V> FIRN_DEVICE void load_vector(float (&to)[V], const float* from) {
#pragma unroll
  for (int i = 0; i < V; i++) to[i] = from[i];
}

FIRN_DEVICE float sigmoid(float x) { return __fdividef(1.f, 1.f + __expf(-x)); }
FIRN_DEVICE float silu_slope(float x) {
  const float s = sigmoid(x);
  return s * (1.f + x * (1.f - s));
}
// Keeps a NaN.
FIRN_DEVICE float relu(float x) { return x < 0.f ? 0.f : x; }

FIRN_DEVICE float infinity() { return __uint_as_float(0x7F800000u); }

template <class T> FIRN_DEVICE T smaller(T a, T b) { return a < b ? a : b; }

// Adds up `mine` over the rows (threadIdx.y) of a block, in an order that timing cannot change, and lets row 0 store the
// sums of its columns at `to`, `apart` elements from each other. All threads of the block must call it; `shared` holds V
// floats a thread.
template <int V> FIRN_DEVICE void block_sums(const float (&mine)[V], float* shared, float* to, int apart, bool inside) {
  const int row = blockDim.x * V;
  float* own = shared + threadIdx.y * row + threadIdx.x;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < V; i++) own[i * blockDim.x] = mine[i];
  for (int rows = blockDim.y; rows > 1;) {
    const int half = (rows + 1) / 2;
    __syncthreads();
    if (threadIdx.y + half < rows) {
#pragma unroll
      for (int i = 0; i < V; i++) own[i * blockDim.x] += own[half * row + i * blockDim.x];
    }
    rows = half;
  }
  if (threadIdx.y == 0 && inside) {
#pragma unroll
    for (int i = 0; i < V; i++) to[(long long) i * apart] = own[i * blockDim.x];
  }
}

// The largest (SUM = false) or the sum of all threads' values, for every thread, in a fixed order. `shared` holds a float a
// thread. For blocks of one row, whose width is a power of 2.
template <bool SUM> FIRN_DEVICE float over_block(float mine, float* shared) {
  __syncthreads();
  shared[threadIdx.x] = mine;
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      const float other = shared[threadIdx.x + half];
      shared[threadIdx.x] = SUM ? shared[threadIdx.x] + other : fmaxf(shared[threadIdx.x], other);
    }
  }
  __syncthreads();
  return shared[0];
}

// The sum of a warp's values, for every lane.
FIRN_DEVICE float over_warp(float x) {
#pragma unroll
  for (int lane = 16; lane > 0; lane /= 2) x += __shfl_xor_sync(0xFFFFFFFFu, x, lane);
  return x;
}

// The segment of a table that this block works on: the last that begins at or before it.
template <class Segment> FIRN_DEVICE const Segment& segment_of_block(const Segment* table, int count) {
  int low = 0;
  for (int high = count; high - low > 1;) {
    const int middle = (low + high) / 2;
    if (table[middle].first_block <= (int) blockIdx.x) low = middle; else high = middle;
  }
  return table[low];
}

// What a loss is multiplied by: io.firn.graph.Scaling, whose state is {exponent, finite steps in a row, skipped steps}.
FIRN_DEVICE float loss_scale(const float* state) { return ldexpf(1.f, 16 + (int) state[0]); }

// Where element e of a weight [outer, inner, taps] in one layout lies in the other: dense has the taps fastest, NHWC the
// inner channels.
enum Order { SAME, DENSE_OF_NHWC, NHWC_OF_DENSE };
FIRN_DEVICE int reordered(int e, int inner, int taps, int order) {
  const int filter = inner * taps, o = e / filter, r = e % filter;
  return order == SAME ? e : order == DENSE_OF_NHWC ? o * filter + r % inner * taps + r / inner
      : o * filter + r % taps * inner + r / taps;
}

// Whether the element or sample at `index` survives: io.firn.graph.Masks. `counter` is the step's table.
FIRN_DEVICE bool keeps(const int* counter, int op, long long index, unsigned threshold) {
  const long long block = index >> 2;
  unsigned c0 = (unsigned) block, c1 = op, c2 = counter[2], c3 = counter[3] ^ (unsigned) (block >> 32);
  unsigned k0 = counter[0], k1 = counter[1];
  for (int round = 0; round < 10; round++) {
    const unsigned long long p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
    c0 = (unsigned) (p1 >> 32) ^ c1 ^ k0;
    c1 = (unsigned) p1;
    c2 = (unsigned) (p0 >> 32) ^ c3 ^ k1;
    c3 = (unsigned) p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const int lane = index & 3;
  return ((lane == 0 ? c0 : lane == 1 ? c1 : lane == 2 ? c2 : c3) >> 8) >= threshold;
}
