// A product of f32 matrices, C [rows, columns] = Σ over depth of A · B (+ bias by column), for those too small or too few for
// a library: a block has a tile of C, and stages strips of A and B in shared memory. Partial sums of a strip are added up
// apart, so that rounding stays small.
//
// Generated: Args, PER (results of a thread in each direction), A_ALONG, B_ALONG (whether neighbours in A, B are neighbours
// along the depth).

constexpr int SIDE = 16, TILE = SIDE * PER, DEPTH = 32, THREADS = SIDE * SIDE;

template <bool ALONG> FIRN_DEVICE void stage(float (*to)[DEPTH + 1], const float* from, int first, int lines, long long apart,
                                             int begin, int depth, long long step) {
  for (int e = threadIdx.y * SIDE + threadIdx.x; e < TILE * DEPTH; e += THREADS) {
    const int line = ALONG ? e / DEPTH : e % TILE, at = ALONG ? e % DEPTH : e / TILE;
    const bool there = first + line < lines && begin + at < depth;
    to[line][at] = there ? from[(first + line) * apart + (begin + at) * step] : 0.f;
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) ENTRY(const __grid_constant__ Args a) {
  float (*const left)[DEPTH + 1] = reinterpret_cast<float (*)[DEPTH + 1]>(firn_shared);
  float (*const right)[DEPTH + 1] = left + TILE;
  const int row = blockIdx.y * TILE, column = blockIdx.x * TILE;
  float sum[PER][PER] = {};
  for (int begin = 0; begin < a.depth; begin += DEPTH) {
    stage<A_ALONG>(left, a.left, row, a.rows, a.left_apart, begin, a.depth, a.left_step);
    stage<B_ALONG>(right, a.right, column, a.columns, a.right_apart, begin, a.depth, a.right_step);
    __syncthreads();
    float strip[PER][PER] = {};
#pragma unroll 8
    for (int d = 0; d < DEPTH; d++) {
#pragma unroll
      for (int i = 0; i < PER; i++) {
#pragma unroll
        for (int j = 0; j < PER; j++) {
          strip[i][j] += left[threadIdx.y + i * SIDE][d] * right[threadIdx.x + j * SIDE][d];
        }
      }
    }
#pragma unroll
    for (int i = 0; i < PER; i++) {
#pragma unroll
      for (int j = 0; j < PER; j++) sum[i][j] += strip[i][j];
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < PER; i++) {
#pragma unroll
    for (int j = 0; j < PER; j++) {
      const int r = row + threadIdx.y + i * SIDE, c = column + threadIdx.x + j * SIDE;
      if (r < a.rows && c < a.columns) {
        a.to[(long long) r * a.columns + c] = sum[i][j] + (a.bias ? a.bias[c] : 0.f);
      }
    }
  }
}

FIRN_KERNEL(ENTRY, Args)
