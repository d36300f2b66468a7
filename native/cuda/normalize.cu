// Pixels u8 [N,H,W,FROM_C] to normalised activations [N,H,W,TO_C]: x · scale[c] + shift[c]; channels that only the result
// has are 0. A thread takes four pixels; the last few of all are taken one by one.
//
// Generated: Args, T, FROM_C, TO_C.

constexpr int PIXELS = 4, WORD = 4, V = sizeof(T) == 2 && TO_C % 2 == 0 ? 8 : 4;

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const float* scale = reinterpret_cast<const float*>(a.table);
  const float* shift = scale + FROM_C;
  const long long first = ((long long) blockIdx.x * blockDim.x + threadIdx.x) * PIXELS;
  if (first + PIXELS <= a.pixels) {
    Pack<unsigned char, WORD> x[FROM_C];
#pragma unroll
    for (int i = 0; i < FROM_C; i++) x[i] = load<WORD>(a.from + first * FROM_C + i * WORD);
    Pack<T, V> y[PIXELS * TO_C / V];
#pragma unroll
    for (int i = 0; i < PIXELS * TO_C; i++) {
      const int c = i % TO_C, e = i / TO_C * FROM_C + c;
      put(y[i / V].at[i % V], c < FROM_C ? get(x[e / WORD].at[e % WORD]) * scale[c] + shift[c] : 0.f);
    }
#pragma unroll
    for (int i = 0; i < PIXELS * TO_C / V; i++) store<V>(a.to + first * TO_C + i * V, y[i]);
  } else {
    for (long long p = first; p < a.pixels; p++) {
      for (int c = 0; c < TO_C; c++) {
        put(a.to[p * TO_C + c], c < FROM_C ? get(a.from[p * FROM_C + c]) * scale[c] + shift[c] : 0.f);
      }
    }
  }
}

FIRN_KERNEL(ENTRY, Args)
