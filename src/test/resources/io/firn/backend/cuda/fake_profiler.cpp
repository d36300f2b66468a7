// A profiler as NVTX's library loads one (NVTX_INJECTION64_PATH): writes down which ranges are entered and left.
#include <nvtx3/nvToolsExt.h>
#include <string>

namespace {
std::string seen;
int depth;
int push(const char* name) { seen += std::string(depth ? " " : "") + name + "("; return depth++; }
int pop() { seen += ")"; return --depth; }
}  // namespace

extern "C" const char* fake_seen() { return seen.c_str(); }

extern "C" int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t table) {
  auto callbacks = static_cast<const NvtxExportTableCallbacks*>(table(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable functions;
  unsigned int size;
  if (!callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &functions, &size)) return 0;
  *functions[NVTX_CBID_CORE_RangePushA] = reinterpret_cast<NvtxFunctionPointer>(push);
  *functions[NVTX_CBID_CORE_RangePop] = reinterpret_cast<NvtxFunctionPointer>(pop);
  return 1;
}
