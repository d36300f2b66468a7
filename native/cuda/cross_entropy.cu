// Softmax cross-entropy with label smoothing, its gradient, or both: a block has one row of logits. A row's share of the mean
// loss is left in the workspace. Rows of padding (labels below 0) have neither loss nor gradient.
//
// Generated: Args.

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  float* shared = reinterpret_cast<float*>(firn_shared);
  const float* x = a.logits + (long long) blockIdx.x * a.classes;
  const int label = a.labels[blockIdx.x];
  float counted = 0.f, largest = -infinity(), exponentials = 0.f, sum = 0.f;
  for (int n = threadIdx.x; n < a.rows; n += blockDim.x) counted += a.labels[n] >= 0 ? 1.f : 0.f;
  const float share = 1.f / fmaxf(over_block<true>(counted, shared), 1.f);
  for (int k = threadIdx.x; k < a.classes; k += blockDim.x) largest = fmaxf(largest, x[k]);
  largest = over_block<false>(largest, shared);
  for (int k = threadIdx.x; k < a.classes; k += blockDim.x) {
    exponentials += expf(x[k] - largest);
    sum += x[k] - largest;
  }
  exponentials = over_block<true>(exponentials, shared);
  sum = over_block<true>(sum, shared);
  if (a.loss_rows && threadIdx.x == 0) {
    const float loss = logf(exponentials) - a.certain * (label < 0 ? 0.f : x[label] - largest) - a.uncertain * sum;
    a.loss_rows[blockIdx.x] = label < 0 ? 0.f : loss * share;
  }
  if (a.gradient) {
    for (int k = threadIdx.x; k < a.classes; k += blockDim.x) {
      const float q = a.uncertain + (k == label ? a.certain : 0.f);
      a.gradient[(long long) blockIdx.x * a.classes + k] = label < 0 ? 0.f : (expf(x[k] - largest) / exponentials - q) * share;
    }
  }
}

FIRN_KERNEL(ENTRY, Args)
