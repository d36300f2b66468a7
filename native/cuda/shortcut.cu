// The parameter-free shortcut of NHWC maps and its gradient: copies of every stride-th pixel's channels, and zeros. A thread
// has V channels of one pixel of the result.
//
// Generated: Args, T, V, TOWARDS_INPUT.

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const long long item = (long long) blockIdx.x * blockDim.x + threadIdx.x;
  const int groups = a.channels / V;
  if (item >= (long long) a.pixels * groups) return;
  const int c = (int) (item % groups) * V;
  const int pixel = (int) (item / groups);
  const int w = pixel % a.width, h = pixel / a.width % a.height, n = pixel / a.width / a.height;
  const int from_c = TOWARDS_INPUT ? c + a.before : c - a.before;
  const int from_h = TOWARDS_INPUT ? h / a.stride : h * a.stride, from_w = TOWARDS_INPUT ? w / a.stride : w * a.stride;
  Pack<T, V> x = {};
  const bool copied = TOWARDS_INPUT ? h % a.stride == 0 && w % a.stride == 0 : from_c >= 0 && from_c < a.source_c;
  if (copied) x = load<V>(a.from + (((long long) n * a.source_h + from_h) * a.source_w + from_w) * a.source_c + from_c);
  store<V>(a.to + (long long) pixel * a.channels + c, x);
}

FIRN_KERNEL(ENTRY, Args)
