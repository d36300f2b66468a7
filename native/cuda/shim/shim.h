// Lets a C++ compiler build the kernels and run them thread by thread: a fibre for each thread of a block, barriers and
// warp shuffles that all must reach, shared memory that begins as NaN, and blocks and threads in an order to choose.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <vector>

#define FIRN_SHIM 1
#define FIRN_DEVICE inline
#define __global__
#define __device__
#define __forceinline__
#define __launch_bounds__(...)
#define __grid_constant__

struct shim_dim { int x, y, z; };
inline thread_local shim_dim threadIdx, blockIdx, blockDim, gridDim;
inline thread_local unsigned char* firn_shared;

namespace shim {

// What a launch may end with; the Java side has the same numbers.
enum Fault { NONE, BARRIER_MISSED, SHARED_OVERRUN, TOO_MANY_THREADS };
enum Order { ASCENDING, DESCENDING, SHUFFLED };
enum State { READY, BARRIER, SHUFFLE, DONE };

constexpr size_t STACK = 64 * 1024, GUARD = 256;
constexpr int MOST_THREADS = 1024;

struct Fibre {
  void* stack;
  State state;
  shim_dim index;
  unsigned slots[2];
  int shuffles;
};

struct Block {
  std::vector<Fibre> fibres;
  void* scheduler;
  Fibre* running;
  unsigned char* stacks = nullptr;
  void (*kernel)(const void*);
  const void* args;
};
inline thread_local Block block;

// Leaves one stack for another: what the System V calling convention of x86-64 preserves is on the stack itself. Twenty times
// as fast as swapcontext, which asks the kernel for the signal mask.
__attribute__((naked, noinline)) static void change_stack(void** /* from */, void* /* to */) {
  asm("pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
      "movq %rsp, (%rdi); movq %rsi, %rsp\n"
      "popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp; ret");
}

inline void yield(State state) {
  Fibre* self = block.running;
  self->state = state;
  change_stack(&self->stack, block.scheduler);
}

inline void start() {
  block.kernel(block.args);
  yield(DONE);
}

inline int thread_number(const Fibre& f) { return f.index.x + blockDim.x * f.index.y; }

// Another lane's word. Two places by turns: no lane can be two shuffles ahead.
inline unsigned exchange(unsigned mine, int lane_xor) {
  Fibre* self = block.running;
  const int place = self->shuffles++ % 2;
  self->slots[place] = mine;
  yield(SHUFFLE);
  return block.fibres[thread_number(*self) ^ lane_xor].slots[place];
}

inline std::vector<int> order_of(int n, int order, uint64_t& random) {
  std::vector<int> places(n);
  for (int i = 0; i < n; i++) places[i] = order == DESCENDING ? n - 1 - i : i;
  for (int i = n - 1; order == SHUFFLED && i > 0; i--) {
    random = random * 6364136223846793005ull + 1442695040888963407ull;
    const int j = (random >> 33) % (i + 1);
    const int t = places[i];
    places[i] = places[j];
    places[j] = t;
  }
  return places;
}

inline bool all(int from, int to, State state) {
  for (int i = from; i < to; i++) if (block.fibres[i].state != state) return false;
  return true;
}

inline void release(int from, int to) {
  for (int i = from; i < to; i++) block.fibres[i].state = READY;
}

inline Fault run_block(int threads, int order, uint64_t& random) {
  for (int i = 0; i < threads; i++) {
    Fibre& f = block.fibres[i];
    void** top = (void**) (block.stacks + (i + 1) * STACK) - 8;
    top[6] = (void*) start;
    f.stack = top;
    f.state = READY;
    f.shuffles = 0;
    f.index = {i % blockDim.x, i / blockDim.x, 0};
  }
  for (;;) {
    for (int i : order_of(threads, order, random)) {
      Fibre& f = block.fibres[i];
      if (f.state == READY) {
        block.running = &f;
        threadIdx = f.index;
        change_stack(&block.scheduler, f.stack);
      }
    }
    if (all(0, threads, DONE)) return NONE;
    bool freed = false;
    for (int warp = 0; warp < threads; warp += 32) {
      const int end = warp + 32 < threads ? warp + 32 : threads;
      if (all(warp, end, SHUFFLE)) {
        release(warp, end);
        freed = true;
      }
    }
    if (!freed) {
      if (!all(0, threads, BARRIER)) return BARRIER_MISSED;
      release(0, threads);
    }
  }
}

inline int run(void (*kernel)(const void*), const void* args, const int* shape, int shared, int order, uint64_t seed) {
  gridDim = {shape[0], shape[1], shape[2]};
  blockDim = {shape[3], shape[4], 1};
  const int threads = blockDim.x * blockDim.y;
  if (threads > MOST_THREADS) return TOO_MANY_THREADS;
  std::vector<unsigned char> memory(shared + 2 * GUARD + 16);
  firn_shared = memory.data() + GUARD + (16 - (uintptr_t) memory.data() % 16) % 16;
  if (!block.stacks) {
    block.stacks = (unsigned char*) mmap(nullptr, STACK * MOST_THREADS, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    block.fibres.resize(MOST_THREADS);
  }
  block.kernel = kernel;
  block.args = args;
  uint64_t random = seed;
  const std::vector<int> blocks = order_of(gridDim.x * gridDim.y * gridDim.z, order, random);
  for (int b : blocks) {
    blockIdx = {b % gridDim.x, b / gridDim.x % gridDim.y, b / gridDim.x / gridDim.y};
    memset(memory.data(), 0xFF, memory.size());
    const Fault fault = run_block(threads, order, random);
    if (fault != NONE) return fault;
    for (size_t i = 0; i < GUARD; i++) {
      if (firn_shared[-1 - (long) i] != 0xFF || firn_shared[shared + i] != 0xFF) return SHARED_OVERRUN;
    }
  }
  return NONE;
}

inline float bits_to_float(unsigned bits) { float f; memcpy(&f, &bits, 4); return f; }
inline unsigned float_to_bits(float f) { unsigned bits; memcpy(&bits, &f, 4); return bits; }
inline unsigned short float_to_bf16(float f) {
  const unsigned bits = float_to_bits(f);
  return f != f ? bits >> 16 | 0x40 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}
inline float half_to_float(unsigned short bits) { _Float16 h; memcpy(&h, &bits, 2); return (float) h; }
inline unsigned short float_to_half(float f) { const _Float16 h = (_Float16) f; unsigned short bits; memcpy(&bits, &h, 2); return bits; }

}  // namespace shim

inline void __syncthreads() { shim::yield(shim::BARRIER); }
inline float __shfl_xor_sync(unsigned, float x, int lane_xor) {
  return shim::bits_to_float(shim::exchange(shim::float_to_bits(x), lane_xor));
}
inline float __uint_as_float(unsigned bits) { return shim::bits_to_float(bits); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return expf(x); }

// The entry point that the tests call, with the very bytes that a launch would hand to the device.
#define FIRN_KERNEL(entry, Args) \
  extern "C" int run_##entry(const void* args, const int* shape, int shared, int order, uint64_t seed) { \
    return shim::run([](const void* a) { entry(*static_cast<const Args*>(a)); }, args, shape, shared, order, seed); \
  }
