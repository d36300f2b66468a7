// Adds up the rows of sums that blocks have left, by column, and goes on with what is computed from them column by column
// (batch norm's finalise). A column is a channel, or a sample's channel; a thread's row walks over the rows to add.
//
// Generated: Args, SUMS.

extern "C" __global__ void __launch_bounds__(512) ENTRY(const __grid_constant__ Args a) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  const bool inside = c < a.columns;
  float sum[SUMS + 1] = {};
  for (int row = threadIdx.y; inside && row < a.rows; row += blockDim.y) {
    //@ add
  }
  float* shared = reinterpret_cast<float*>(firn_shared);
  float total[SUMS + 1][1];
#pragma unroll
  for (int s = 0; s < SUMS; s++) {
    const float mine[1] = {sum[s]};
    block_sums<1>(mine, shared, total[s], 0, true);
  }
  if (inside && threadIdx.y == 0) {
    //@ compute
  }
}

FIRN_KERNEL(ENTRY, Args)
