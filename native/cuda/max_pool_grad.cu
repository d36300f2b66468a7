// Gradient of maximum pooling, NHWC: a thread has V channels of one pixel and adds up the windows whose maximum it was.
//
// Generated: Args, T, V.

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const long long item = (long long) blockIdx.x * blockDim.x + threadIdx.x;
  if (item >= (long long) a.pixels * a.groups) return;
  const int c = (int) (item % a.groups) * V;
  const int pixel = (int) (item / a.groups);
  const int w = pixel % a.width + a.padding, h = pixel / a.width % a.height + a.padding, n = pixel / a.width / a.height;
  float sum[V] = {};
  const int first_y = h < a.kernel ? 0 : (h - a.kernel) / a.stride + 1, first_x = w < a.kernel ? 0 : (w - a.kernel) / a.stride + 1;
  for (int y = first_y; y <= h / a.stride && y < a.result_h; y++) {
    for (int x = first_x; x <= w / a.stride && x < a.result_w; x++) {
      const long long at = (((long long) n * a.result_h + y) * a.result_w + x) * a.channels + c;
      const int place = (h - y * a.stride) * a.kernel + w - x * a.stride;
      const Pack<T, V> dy = load<V>(a.dy + at);
      const Pack<unsigned char, V> from = load<V>(a.place + at);
#pragma unroll
      for (int i = 0; i < V; i++) sum[i] += from.at[i] == place ? get(dy.at[i]) : 0.f;
    }
  }
  Pack<T, V> dx;
#pragma unroll
  for (int i = 0; i < V; i++) put(dx.at[i], sum[i]);
  store<V>(a.dx + (long long) pixel * a.channels + c, dx);
}

FIRN_KERNEL(ENTRY, Args)
