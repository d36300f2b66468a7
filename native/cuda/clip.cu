// The norm over all gradients from the sums of squares that blocks have left, and the factor that limits it: 0 where the norm is
// not finite, which tells the step to be skipped. Takes the loss's scale out of both and goes on with the scale
// (io.firn.graph.Scaling), where there is one. One block.
//
// Generated: Args, PATIENCE, MOST_EXPONENT.

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  float sum = 0.f;
  for (int i = threadIdx.x; i < a.blocks; i += blockDim.x) sum += a.sums[i];
  sum = over_block<true>(sum, reinterpret_cast<float*>(firn_shared));
  if (threadIdx.x != 0) return;
  const float scale = a.state ? loss_scale(a.state) : 1.f;
  const float norm = sqrtf(sum) / scale;
  // False for a NaN too.
  const bool finite = norm < infinity();
  *a.norm = norm;
  *a.factor = finite ? fminf(1.f, a.most / (norm + 1e-6f)) / scale : 0.f;
  if (a.state) {
    const float exponent = a.state[0], steps = a.state[1] + 1.f, skipped = a.state[2];
    const bool grows = finite && steps >= PATIENCE;
    a.next[0] = !finite ? exponent - 1.f : grows ? fminf(MOST_EXPONENT, exponent + 1.f) : exponent;
    a.next[1] = finite && !grows ? steps : 0.f;
    a.next[2] = finite ? skipped : skipped + 1.f;
  }
}

FIRN_KERNEL(ENTRY, Args)
