// Casts weights between element types and layouts, each scaled by output channel where it has a scale: all of a launch's
// tensors by one table of segments. A block has CHUNK elements of one of them, in the order of what it writes.
//
// Generated: Args, From, To, CHUNK.

// Rows of what is written have more than `inner` channels where they are padded, with zeros.
struct Segment {
  const From* from;
  To* to;
  const float* scale;
  int row, elements, inner, taps, order, first_block;
};

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const Segment s = segment_of_block(reinterpret_cast<const Segment*>(a.table), a.segments);
  const int begin = (blockIdx.x - s.first_block) * CHUNK;
  const int end = smaller(begin + CHUNK, s.elements);
  for (int i = begin + threadIdx.x; i < end; i += blockDim.x) {
    int e = i;
    bool padding = false;
    if (s.row > s.inner) {
      const int c = i % s.row;
      padding = c >= s.inner;
      e = i / s.row * s.inner + c;
    }
    const float x = padding ? 0.f : get(s.from[reordered(e, s.inner, s.taps, s.order)]);
    put(s.to[i], s.scale ? x * s.scale[e / (s.inner * s.taps)] : x);
  }
}

FIRN_KERNEL(ENTRY, Args)
