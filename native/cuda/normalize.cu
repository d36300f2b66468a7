// Pixels u8 [N,H,W,C] to normalised activations: x · scale[c] + shift[c]. A thread takes 16 neighbours; the last few of all
// are taken one by one.
//
// Generated: Args, T.

constexpr int NEIGHBOURS = 16;

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const float* scale = reinterpret_cast<const float*>(a.table);
  const float* shift = scale + a.channels;
  const long long begin = ((long long) blockIdx.x * blockDim.x + threadIdx.x) * NEIGHBOURS;
  const long long elements = (long long) a.pixels * a.channels;
  if (begin >= elements) return;
  int c = begin % a.channels;
  if (begin + NEIGHBOURS <= elements) {
    const Pack<unsigned char, NEIGHBOURS> x = load<NEIGHBOURS>(a.from + begin);
    Pack<T, 4> y[NEIGHBOURS / 4];
#pragma unroll
    for (int i = 0; i < NEIGHBOURS; i++) {
      put(y[i / 4].at[i % 4], get(x.at[i]) * scale[c] + shift[c]);
      c = c + 1 == a.channels ? 0 : c + 1;
    }
#pragma unroll
    for (int i = 0; i < NEIGHBOURS; i += 4) store<4>(a.to + begin + i, y[i / 4]);
  } else {
    for (long long e = begin; e < elements; e++) {
      put(a.to[e], get(a.from[e]) * scale[c] + shift[c]);
      c = c + 1 == a.channels ? 0 : c + 1;
    }
  }
}

FIRN_KERNEL(ENTRY, Args)
