// A libcuda.so.1 for machines without a driver: every function says that there is no device, so that NVIDIA's libraries
// load and plan. "functions.h" has FUNCTION(name) for each function that cuda.h names: cuDNN looks many up, and offers no
// engine that is compiled at run time where it misses some.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SUCCESS = 0, NO_DEVICE = 100 };

#define FUNCTION(name) int name(void) { return NO_DEVICE; }
#include "functions.h"

// What tells this library from a driver.
int firnPlanningOnly(void) { return SUCCESS; }

static int noDevice(void) { return NO_DEVICE; }

int cuDriverGetVersion(int *version) {
  *version = CUDA_VERSION;
  return SUCCESS;
}

int cuDeviceGetCount(int *count) {
  *count = 0;
  return NO_DEVICE;
}

int cuGetExportTable(const void **table, const void *id) {
  *table = NULL;
  return NO_DEVICE;
}

int cuGetErrorString(int error, const char **text) {
  *text = "no CUDA device: this process only plans";
  return SUCCESS;
}

int cuGetErrorName(int error, const char **text) {
  *text = "CUDA_ERROR_NO_DEVICE";
  return SUCCESS;
}

int cuGetProcAddress_v2(const char *name, void **address, int version, uint64_t flags, int *found) {
  Dl_info self;
  void *library = dladdr((void *) noDevice, &self) ? dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : NULL;
  void *function = library ? dlsym(library, name) : NULL;
  if (strcmp(name, "cuGetProcAddress") == 0) // callers expect its second form under the first one's name
    function = (void *) cuGetProcAddress_v2;
  *address = function ? function : (void *) noDevice;
  if (found)
    *found = 0;
  return SUCCESS;
}

int cuGetProcAddress(const char *name, void **address, int version, uint64_t flags) {
  return cuGetProcAddress_v2(name, address, version, flags, NULL);
}
