// Maximum pooling of NHWC maps, through what is computed of them first: a thread has V channels of one result. The place of
// the first maximum in its window is stored where something needs it.
//
// Generated: Args, T, V, Source with its fetch.

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const long long item = (long long) blockIdx.x * blockDim.x + threadIdx.x;
  if (item >= (long long) a.results * a.groups) return;
  const int c = (int) (item % a.groups) * V;
  const int result = (int) (item / a.groups);
  const int n = result / (a.height * a.width);
  const int top = result / a.width % a.height * a.stride - a.padding, left = result % a.width * a.stride - a.padding;
  //@ vectors
  float best[V];
  Pack<unsigned char, V> place = {};
#pragma unroll
  for (int i = 0; i < V; i++) best[i] = -infinity();
  for (int k = 0; k < a.kernel * a.kernel; k++) {
    const int h = top + k / a.kernel, w = left + k % a.kernel;
    if (h < 0 || h >= a.source_h || w < 0 || w >= a.source_w) continue;
    Source l;
    fetch(l, a, (((long long) n * a.source_h + h) * a.source_w + w) * a.channels + c);
#pragma unroll
    for (int i = 0; i < V; i++) {
      float x;
      //@ source
      // A NaN wins, and stays.
      if (x > best[i] || x != x) {
        best[i] = x;
        place.at[i] = k;
      }
    }
  }
  Pack<T, V> y;
#pragma unroll
  for (int i = 0; i < V; i++) put(y.at[i], best[i]);
  store<V>(a.to + (long long) result * a.channels + c, y);
  if (a.place) store<V>(a.place + (long long) result * a.channels + c, place);
}

FIRN_KERNEL(ENTRY, Args)
