// One streaming pass over activations [samples, pixels, channels]: what is computed of each element is generated from the
// launch's subgraph. A thread keeps V neighbouring channels and walks over pixels; sums are left as one row a block.
//
// Generated: Args, V, SUMS, ROUNDS (pixels that a thread has in flight), Loads, fetch.

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const int group = blockIdx.x * blockDim.x + threadIdx.x;
  const bool inside = group < a.groups;
  const int c = group * V;
  const int n = blockIdx.z;
  const int begin = blockIdx.y * a.strip;
  const int end = smaller(begin + a.strip, a.pixels);
  float sum[SUMS + 1][V] = {};
  if (inside) {
    //@ vectors
    for (int p = begin + threadIdx.y; p < end; p += blockDim.y * ROUNDS) {
      Loads ahead[ROUNDS];
#pragma unroll
      for (int r = 0; r < ROUNDS; r++) {
        const int q = p + r * blockDim.y;
        if (q < end) fetch(ahead[r], a, ((long long) n * a.pixels + q) * a.channels + c);
      }
#pragma unroll
      for (int r = 0; r < ROUNDS; r++) {
        const int q = p + r * blockDim.y;
        if (q < end) {
          const Loads& l = ahead[r];
          const long long at = ((long long) n * a.pixels + q) * a.channels + c;
          //@ declare
#pragma unroll
          for (int i = 0; i < V; i++) {
            //@ compute
          }
          //@ store
        }
      }
    }
  }
  float* shared = reinterpret_cast<float*>(firn_shared);
  //@ sums
}

FIRN_KERNEL(ENTRY, Args)
