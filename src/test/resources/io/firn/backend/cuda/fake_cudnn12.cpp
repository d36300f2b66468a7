// What Firn asks of cuDNN before it loads it, as cuDNN 9.24.0 for CUDA 12.9 answers.
#include <cstddef>

extern "C" std::size_t cudnnGetVersion() { return 92400; }
extern "C" std::size_t cudnnGetCudartVersion() { return 12090; }
