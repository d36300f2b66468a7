// A CUDA driver of two GPUs in host memory, compiled against the real cuda.h so that its functions have the real types: what
// is put on a stream is done at once, or kept while the stream is captured. Its only kernel, "add", adds a number to
// elements of an array; the argument block is {int* to; int by;}. The first GPU only tells what is free.
#include <cuda.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

namespace {
struct Graph { std::vector<std::function<void()>> work; };
struct Block { int* to; int by; };
thread_local int current;  // the context that is current
int live;     // handles and allocations that were not given back
Graph* capturing;
void put(std::function<void()> f) { if (capturing) capturing->work.push_back(f); else f(); }
template <class T> T handle(long value) { live++; return reinterpret_cast<T>(value); }
CUresult gone() { live--; return CUDA_SUCCESS; }
}  // namespace

extern "C" {
int fake_live() { return live; }
CUresult CUDAAPI cuInit(unsigned int flags) { return flags ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS; }
CUresult CUDAAPI cuDriverGetVersion(int* v) { *v = 13000; return CUDA_SUCCESS; }
CUresult CUDAAPI cuDeviceGetCount(int* n) { *n = 2; return CUDA_SUCCESS; }
CUresult CUDAAPI cuDeviceGetName(char* s, int n, CUdevice d) { return snprintf(s, n, d == 40 ? "NVIDIA H100 80GB HBM3" : "NVIDIA Other") < n ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE; }
CUresult CUDAAPI cuDeviceTotalMem(size_t* n, CUdevice d) { *n = d == 40 ? 85029158912 : 1; return CUDA_SUCCESS; }
// An H100's.
CUresult CUDAAPI cuDeviceGetAttribute(int* v, CUdevice_attribute a, CUdevice d) {
  switch (a) {
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: *v = 2147483647; break;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y: *v = 65535; break;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: *v = 65535; break;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X: *v = 1024; break;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: *v = 1024; break;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: *v = 64; break;
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK: *v = 65536; break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *v = d == 40 ? 132 : 1; break;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *v = 32; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *v = 49152; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *v = 232448; break;
    case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK: *v = 1024; break;
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: *v = 65536; break;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR: *v = 32; break;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *v = 1024; break;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: *v = 2048; break;
    case CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID: *v = 0; break;
    case CU_DEVICE_ATTRIBUTE_TCC_DRIVER: *v = 0; break;
    case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH: *v = 1; break;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: *v = 1980000; break;
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: *v = 2619000; break;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: *v = 52428800; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *v = 9; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *v = 0; break;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}
CUresult CUDAAPI cuGetErrorName(CUresult e, const char** s) { *s = e == CUDA_ERROR_OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_OTHER"; return CUDA_SUCCESS; }
CUresult CUDAAPI cuGetErrorString(CUresult e, const char** s) { *s = e == CUDA_ERROR_OUT_OF_MEMORY ? "out of memory" : "something else"; return CUDA_SUCCESS; }
CUresult CUDAAPI cuDeviceGet(CUdevice* d, int i) { *d = 40 + i; return CUDA_SUCCESS; }
CUresult CUDAAPI cuDevicePrimaryCtxRetain(CUcontext* c, CUdevice d) { if (d != 40 && d != 41) return CUDA_ERROR_INVALID_DEVICE; *c = handle<CUcontext>(d - 34); return CUDA_SUCCESS; }
CUresult CUDAAPI cuDevicePrimaryCtxRelease(CUdevice d) { return d == 40 || d == 41 ? gone() : CUDA_ERROR_INVALID_DEVICE; }
CUresult CUDAAPI cuCtxSetCurrent(CUcontext c) { current = (int) (long) c; return current == 6 || current == 7 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT; }
CUresult CUDAAPI cuMemGetInfo(size_t* f, size_t* t) { if (!current) return CUDA_ERROR_INVALID_CONTEXT; *f = current - 2L << 30; *t = 8L << 30; return CUDA_SUCCESS; }
CUresult CUDAAPI cuMemAlloc(CUdeviceptr* p, size_t n) { if (n > 5L << 30) return CUDA_ERROR_OUT_OF_MEMORY; *p = (CUdeviceptr) malloc(n); live++; return CUDA_SUCCESS; }
CUresult CUDAAPI cuMemFree(CUdeviceptr p) { free((void*) p); return gone(); }
CUresult CUDAAPI cuMemHostAlloc(void** p, size_t n, unsigned int flags) { if (flags) return CUDA_ERROR_INVALID_VALUE; *p = malloc(n); live++; return CUDA_SUCCESS; }
CUresult CUDAAPI cuMemFreeHost(void* p) { free(p); return gone(); }
CUresult CUDAAPI cuStreamCreate(CUstream* s, unsigned int flags) { if (flags != CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE; *s = handle<CUstream>(100); return CUDA_SUCCESS; }
CUresult CUDAAPI cuStreamDestroy(CUstream s) { return s == (CUstream) 100 ? gone() : CUDA_ERROR_INVALID_HANDLE; }
CUresult CUDAAPI cuStreamSynchronize(CUstream s) { return s == (CUstream) 100 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE; }
CUresult CUDAAPI cuStreamQuery(CUstream s) { return s == (CUstream) 100 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE; }
CUresult CUDAAPI cuEventQuery(CUevent e) { return e == (CUevent) 200 ? CUDA_ERROR_NOT_READY : CUDA_ERROR_INVALID_HANDLE; }
CUresult CUDAAPI cuStreamWaitEvent(CUstream s, CUevent e, unsigned int flags) { return s == (CUstream) 100 && e == (CUevent) 200 && flags == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE; }
CUresult CUDAAPI cuEventCreate(CUevent* e, unsigned int flags) { if (flags) return CUDA_ERROR_INVALID_VALUE; *e = handle<CUevent>(200); return CUDA_SUCCESS; }
CUresult CUDAAPI cuEventDestroy(CUevent e) { return e == (CUevent) 200 ? gone() : CUDA_ERROR_INVALID_HANDLE; }
CUresult CUDAAPI cuEventRecord(CUevent e, CUstream s) { return e == (CUevent) 200 && s == (CUstream) 100 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE; }
CUresult CUDAAPI cuEventSynchronize(CUevent e) { return e == (CUevent) 200 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE; }
CUresult CUDAAPI cuEventElapsedTime(float* ms, CUevent a, CUevent b) { *ms = a == b ? 2.5f : 0; return CUDA_SUCCESS; }
CUresult CUDAAPI cuMemsetD8Async(CUdeviceptr p, unsigned char v, size_t n, CUstream) { put([=] { memset((void*) p, v, n); }); return CUDA_SUCCESS; }
CUresult CUDAAPI cuMemcpyHtoDAsync(CUdeviceptr to, const void* from, size_t n, CUstream) { put([=] { memcpy((void*) to, from, n); }); return CUDA_SUCCESS; }
CUresult CUDAAPI cuMemcpyDtoHAsync(void* to, CUdeviceptr from, size_t n, CUstream) { put([=] { memcpy(to, (void*) from, n); }); return CUDA_SUCCESS; }
CUresult CUDAAPI cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream) { put([=] { memmove((void*) to, (void*) from, n); }); return CUDA_SUCCESS; }
CUresult CUDAAPI cuModuleLoadData(CUmodule* m, const void* image) { if (memcmp(image, "cubin", 5)) return CUDA_ERROR_INVALID_IMAGE; *m = handle<CUmodule>(300); return CUDA_SUCCESS; }
CUresult CUDAAPI cuModuleUnload(CUmodule m) { return m == (CUmodule) 300 ? gone() : CUDA_ERROR_INVALID_HANDLE; }
CUresult CUDAAPI cuModuleGetFunction(CUfunction* f, CUmodule m, const char* name) { if (strcmp(name, "add") || m != (CUmodule) 300) return CUDA_ERROR_NOT_FOUND; *f = (CUfunction) 400; return CUDA_SUCCESS; }
CUresult CUDAAPI cuLaunchKernel(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by, unsigned int bz, unsigned int shared, CUstream s, void** params, void** extra) {
  if (f != (CUfunction) 400 || s != (CUstream) 100 || bz != 1 || gy != 2 || gz != 3 || by != 5 || shared != 1024 || extra) return CUDA_ERROR_INVALID_VALUE;
  Block b;
  memcpy(&b, params[0], sizeof b);
  const unsigned n = gx * bx;
  put([=] { for (unsigned i = 0; i < n; i++) b.to[i] += b.by; });
  return CUDA_SUCCESS;
}
CUresult CUDAAPI cuStreamBeginCapture(CUstream, CUstreamCaptureMode mode) { if (mode != CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) return CUDA_ERROR_INVALID_VALUE; capturing = new Graph(); return CUDA_SUCCESS; }
CUresult CUDAAPI cuStreamEndCapture(CUstream, CUgraph* g) { *g = (CUgraph) capturing; capturing = nullptr; live++; return CUDA_SUCCESS; }
CUresult CUDAAPI cuGraphInstantiate(CUgraphExec* e, CUgraph g, unsigned long long flags) { if (flags) return CUDA_ERROR_INVALID_VALUE; *e = (CUgraphExec) new Graph(*(Graph*) g); live++; return CUDA_SUCCESS; }
CUresult CUDAAPI cuGraphDestroy(CUgraph g) { delete (Graph*) g; return gone(); }
CUresult CUDAAPI cuGraphLaunch(CUgraphExec e, CUstream) { for (auto& w : ((Graph*) e)->work) w(); return CUDA_SUCCESS; }
CUresult CUDAAPI cuGraphExecDestroy(CUgraphExec e) { delete (Graph*) e; return gone(); }
}
