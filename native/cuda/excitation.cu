// Squeeze-and-excitation's small products with their activations, or the gradients of both, sample by sample: a block has
// SAMPLES samples, and what one step hands to the next stays in shared memory. Weights [out, in] are f32.
//
// Generated: Args, SAMPLES, THREADS, and the steps.

// y[s][o] = bias[o] + Σ over k of x[s][k] · w[o][k]: a warp has one o.
template <class X, class Y> FIRN_DEVICE void product(const float* w, const float* bias, int out, int in, X x, Y y) {
  const int lane = threadIdx.x % 32;
  for (int o = threadIdx.x / 32; o < out; o += THREADS / 32) {
    float sum[SAMPLES] = {};
    for (int k = lane; k < in; k += 32) {
      const float weight = w[(long long) o * in + k];
#pragma unroll
      for (int s = 0; s < SAMPLES; s++) sum[s] += weight * x(s, k);
    }
#pragma unroll
    for (int s = 0; s < SAMPLES; s++) {
      const float total = over_warp(sum[s]) + bias[o];
      if (lane == 0) y(s, o, total);
    }
  }
}

// x'[s][k] = Σ over o of y'[s][o] · w[o][k]: a thread has one k.
template <class X, class Y> FIRN_DEVICE void product_back(const float* w, int out, int in, X dy, Y dx) {
  for (int k = threadIdx.x; k < in; k += THREADS) {
    float sum[SAMPLES] = {};
    for (int o = 0; o < out; o++) {
      const float weight = w[(long long) o * in + k];
#pragma unroll
      for (int s = 0; s < SAMPLES; s++) sum[s] += weight * dy(s, o);
    }
#pragma unroll
    for (int s = 0; s < SAMPLES; s++) dx(s, k, sum[s]);
  }
}

template <class F> FIRN_DEVICE void each(int width, F f) {
  for (int e = threadIdx.x; e < SAMPLES * width; e += THREADS) f(e / width, e % width);
}

extern "C" __global__ void __launch_bounds__(THREADS) ENTRY(const __grid_constant__ Args a) {
  float* shared = reinterpret_cast<float*>(firn_shared);
  const int first = blockIdx.x * SAMPLES;
  //@ steps
}

FIRN_KERNEL(ENTRY, Args)
