// Softmax cross-entropy with label smoothing, its gradient, or both: a block has one row of logits. A row's share of the mean
// loss is left in the workspace. Rows of padding (labels below 0) have neither loss nor gradient. Of mixed images each has a
// partner, whose label has what the share `rates[2]` leaves. The gradient may be that of a scaled loss.
//
// Generated: Args.

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  float* shared = reinterpret_cast<float*>(firn_shared);
  const float* x = a.logits + (long long) blockIdx.x * a.classes;
  const int label = a.labels[blockIdx.x], partner = a.partners ? a.partners[blockIdx.x] : label;
  const float own = a.partners ? a.certain * a.rates[2] : a.certain, others = a.certain - own;
  const bool counts = label >= 0 && partner >= 0;
  float counted = 0.f, largest = -infinity(), exponentials = 0.f, sum = 0.f;
  for (int n = threadIdx.x; n < a.rows; n += blockDim.x) {
    counted += a.labels[n] >= 0 && (!a.partners || a.partners[n] >= 0) ? 1.f : 0.f;
  }
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
    const float hit = counts ? own * (x[label] - largest) + others * (x[partner] - largest) : 0.f;
    a.loss_rows[blockIdx.x] = counts ? (logf(exponentials) - hit - a.uncertain * sum) * share : 0.f;
  }
  if (a.gradient) {
    const float scale = a.scaling ? loss_scale(a.scaling) * share : share;
    for (int k = threadIdx.x; k < a.classes; k += blockDim.x) {
      const float q = a.uncertain + (k == label ? own : 0.f) + (k == partner ? others : 0.f);
      a.gradient[(long long) blockIdx.x * a.classes + k] = counts ? (expf(x[k] - largest) / exponentials - q) * scale : 0.f;
    }
  }
}

FIRN_KERNEL(ENTRY, Args)
