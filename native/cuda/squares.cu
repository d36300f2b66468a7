// Sums of squares over all tensors of a launch, by one table of segments: a block has CHUNK elements of one tensor, and leaves
// their sum in the workspace.
//
// Generated: Args, CHUNK.

struct Segment {
  const float* x;
  int elements, first_block;
};

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const Segment s = segment_of_block(reinterpret_cast<const Segment*>(a.table), a.segments);
  const int begin = (blockIdx.x - s.first_block) * CHUNK;
  const int end = smaller(begin + CHUNK, s.elements);
  float sum = 0.f;
  for (int e = begin + threadIdx.x * 4; e < end; e += blockDim.x * 4) {
    if (e + 4 <= end) {
      const Pack<float, 4> x = load<4>(s.x + e);
#pragma unroll
      for (int i = 0; i < 4; i++) sum += x.at[i] * x.at[i];
    } else {
      for (int i = e; i < end; i++) sum += s.x[i] * s.x[i];
    }
  }
  sum = over_block<true>(sum, reinterpret_cast<float*>(firn_shared));
  if (threadIdx.x == 0) a.sums[blockIdx.x] = sum;
}

FIRN_KERNEL(ENTRY, Args)
