// Rows of FROM_C neighbours to rows of TO_C, in another type where it is: channels beyond the source's are 0, and those
// beyond the result's are left out. A thread has a row.
//
// Generated: Args, From, To, FROM_C, TO_C.

constexpr int V = TO_C % 4 == 0 ? 4 : TO_C % 2 == 0 ? 2 : 1;

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const long long row = (long long) blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= a.rows) return;
#pragma unroll
  for (int c = 0; c < TO_C; c += V) {
    Pack<To, V> y;
#pragma unroll
    for (int i = 0; i < V; i++) put(y.at[i], c + i < FROM_C ? get(a.from[row * FROM_C + c + i]) : 0.f);
    store<V>(a.to + row * TO_C + c, y);
  }
}

FIRN_KERNEL(ENTRY, Args)
