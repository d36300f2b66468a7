// Weight gradient of a depthwise convolution of NHWC maps, dw [C,1,K,K] in f32. A thread takes V channels and one row of the
// kernel, and slides along rows of results with the K columns of x that they meet in registers. A block leaves its sums as
// one row.
//
// Generated: Args, V, COLUMNS (threads side by side in the channels), K, STRIDE, PAD, Source with its fetch.

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const int kh = threadIdx.x / COLUMNS;
  const int group = blockIdx.x * COLUMNS + threadIdx.x % COLUMNS;
  const bool inside = group < a.groups;
  const int c = inside ? group * V : 0;
  float sum[K][V] = {};
  //@ vectors
  const int end = smaller((int) (blockIdx.y + 1) * a.strip, a.rows);
  for (int row = blockIdx.y * a.strip + threadIdx.y; row < end; row += blockDim.y) {
    const int h = row % a.height * STRIDE - PAD + kh;
    if (!inside || h < 0 || h >= a.source_h) continue;
    const long long line = ((long long) (row / a.height) * a.source_h + h) * a.source_w;
    auto column = [&](float (&to)[V], int w) {
      if (w < 0 || w >= a.source_w) {
#pragma unroll
        for (int i = 0; i < V; i++) to[i] = 0.f;
        return;
      }
      Source l;
      fetch(l, a, (line + w) * a.channels + c);
#pragma unroll
      for (int i = 0; i < V; i++) {
        //@ source
      }
    };
    float x[K][V] = {};
#pragma unroll
    for (int j = STRIDE; j < K; j++) column(x[j], j - PAD - STRIDE);
    for (int w = 0; w < a.width; w++) {
#pragma unroll
      for (int j = 0; j < K - STRIDE; j++) {
#pragma unroll
        for (int i = 0; i < V; i++) x[j][i] = x[j + STRIDE][i];
      }
#pragma unroll
      for (int j = K - STRIDE; j < K; j++) column(x[j], w * STRIDE - PAD + j);
      const auto dy = load<V>(a.dy + ((long long) row * a.width + w) * a.channels + c);
#pragma unroll
      for (int i = 0; i < V; i++) {
        const float g = get(dy.at[i]);
#pragma unroll
        for (int j = 0; j < K; j++) sum[j][i] += x[j][i] * g;
      }
    }
  }
  float* shared = reinterpret_cast<float*>(firn_shared);
#pragma unroll
  for (int j = 0; j < K; j++) {
    block_sums<V>(sum[j], shared, a.partial + ((long long) blockIdx.y * a.channels + c) * K * K + kh * K + j, K * K, inside);
  }
}

FIRN_KERNEL(ENTRY, Args)
