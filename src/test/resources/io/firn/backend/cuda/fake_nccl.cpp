// NCCL of two ranks of which the other always holds what this one holds; compiled against the real nccl.h where there is one,
// so that its functions have the real types. What takes time is in progress until it is asked for twice.
#include <cstddef>

typedef struct CUstream_st* cudaStream_t;
#if __has_include(<nccl.h>) && __has_include(<cuda_runtime.h>)
// Of CUDA's runtime it needs but the stream's type, and the runtime's headers are not wherever NCCL's is.
#define __CUDA_RUNTIME_H__
#define __CUDA_FP16_H__
#include <nccl.h>
#else
typedef enum { ncclSuccess, ncclUnhandledCudaError, ncclSystemError, ncclInternalError, ncclInvalidArgument, ncclInvalidUsage, ncclRemoteError, ncclInProgress } ncclResult_t;
typedef enum { ncclFloat = 7 } ncclDataType_t;
typedef enum { ncclSum, ncclAvg = 4 } ncclRedOp_t;
typedef struct { char internal[128]; } ncclUniqueId;
typedef struct ncclComm* ncclComm_t;
typedef struct { unsigned long size; unsigned magic; unsigned version; int blocking; } ncclConfig_t;
#endif

namespace {
int live;      // communicators that were not given back
int grouped;   // whether a group is open
int launches;  // groups that reduced something
int pending;   // how often it is still in progress
int finished;
ncclResult_t failing = ncclSuccess;
ncclComm_t const COMM = reinterpret_cast<ncclComm_t>(500);
ncclResult_t begun() { pending = 2; return ncclInProgress; }
}  // namespace

extern "C" {
int fake_nccl_live() { return live; }
int fake_nccl_launches() { return launches; }
int fake_nccl_grouped() { return grouped; }
void fake_nccl_fail(int status) { failing = (ncclResult_t) status; }
ncclResult_t ncclGetVersion(int* v) { *v = 22705; return ncclSuccess; }
ncclResult_t ncclGetUniqueId(ncclUniqueId* id) { for (int i = 0; i < 128; i++) id->internal[i] = (char) (3 * i); return ncclSuccess; }
ncclResult_t ncclCommInitRankConfig(ncclComm_t* c, int ranks, ncclUniqueId id, int rank, ncclConfig_t* config) {
  if (ranks != 2 || rank != 1 || config->size != 24 || config->magic != 0xcafebeef || config->version != 21400 || config->blocking != 0) return ncclInvalidArgument;
  for (int i = 0; i < 128; i++) if (id.internal[i] != (char) (3 * i)) return ncclInvalidUsage;
  live++;
  *c = COMM;
  return begun();
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t c, ncclResult_t* e) {
  if (c != COMM) return ncclInvalidArgument;
  *e = failing != ncclSuccess ? failing : pending > 0 && pending-- ? ncclInProgress : ncclSuccess;
  return ncclSuccess;
}
ncclResult_t ncclGroupStart() { grouped++; return ncclSuccess; }
ncclResult_t ncclGroupEnd() { grouped--; launches++; return begun(); }
ncclResult_t ncclAllReduce(const void* from, void* to, size_t n, ncclDataType_t type, ncclRedOp_t op, ncclComm_t c, cudaStream_t s) {
  if (c != COMM || grouped != 1 || pending || type != ncclFloat || s != (cudaStream_t) 100 || n == 0) return ncclInvalidArgument;
  for (size_t i = 0; i < n; i++) ((float*) to)[i] = ((const float*) from)[i] * (op == ncclSum ? 2 : op == ncclAvg ? 1 : 0);
  return ncclSuccess;
}
ncclResult_t ncclCommFinalize(ncclComm_t c) { if (c != COMM || pending || finished++) return ncclInvalidArgument; return begun(); }
ncclResult_t ncclCommDestroy(ncclComm_t c) { if (c != COMM || pending || !finished) return ncclInvalidArgument; finished = 0; live--; return ncclSuccess; }
ncclResult_t ncclCommAbort(ncclComm_t c) { if (c != COMM) return ncclInvalidArgument; pending = 0; live--; return ncclSuccess; }
const char* ncclGetErrorString(ncclResult_t e) { return e == ncclInvalidArgument ? "invalid argument" : e == ncclRemoteError ? "remote process exited or there was a network error" : "unknown"; }
const char* ncclGetLastError(ncclComm_t c) { return c == COMM && failing != ncclSuccess ? "NET/Socket : peer closed\nconnection\n" : nullptr; }
}
