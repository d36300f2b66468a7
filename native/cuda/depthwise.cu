// Depthwise convolution, forward or towards its input, of NHWC maps. A block takes tiles of 8 x 8 results of some channels:
// it stages the tile's source in shared memory (through what is computed of it first), then each thread computes 4 results
// side by side for V channels, and what is computed of those. Sums of the results are left as one row a block.
//
// Generated: Args, T, V, COLUMNS (threads side by side in the channels), K, STRIDE, PAD, TOWARDS_INPUT, SUMS, Source and
// Loads with their fetch.

constexpr int TILE = 8, RUN = 4, STRIPS = TILE * TILE / RUN;
FIRN_DEVICE constexpr int below(int a, int b) { return (a >= 0 ? a : a - b + 1) / b; }
// First source row of a tile from the tile's own place, and how many there are.
constexpr int FIRST = TOWARDS_INPUT ? -below(K - 1 - PAD, STRIDE) : -PAD;
constexpr int LAST = TOWARDS_INPUT ? below(TILE - 1 + PAD, STRIDE) : (TILE - 1) * STRIDE + K - 1 - PAD;
constexpr int SIDE = LAST - FIRST + 1;
// Source columns that a run of results reads, from the run's own place.
constexpr int RUN_LAST = TOWARDS_INPUT ? below(RUN - 1 + PAD, STRIDE) : (RUN - 1) * STRIDE + K - 1 - PAD;
constexpr int RUN_READS = RUN_LAST - FIRST + 1;

constexpr int TILE_BYTES = (SIDE * SIDE * COLUMNS * sizeof(Pack<T, V>) + 15) / 16 * 16;

// Where the source of result `at` begins to be counted.
FIRN_DEVICE int source_of(int at) { return TOWARDS_INPUT ? at / STRIDE : at * STRIDE; }

extern "C" __global__ void __launch_bounds__(COLUMNS * STRIPS, 2) ENTRY(const __grid_constant__ Args a) {
  Pack<T, V>* const tile = reinterpret_cast<Pack<T, V>*>(firn_shared);
  Pack<float, V>* const weights = reinterpret_cast<Pack<float, V>*>(firn_shared + TILE_BYTES);
  const int first_group = blockIdx.x * COLUMNS;
  const int group = first_group + threadIdx.x;
  const bool inside = group < a.groups;
  const int c = inside ? group * V : 0;
  const int thread = threadIdx.y * COLUMNS + threadIdx.x;

  // Weights [C,1,K,K] as they come, to [K,K,C] here.
  for (int e = thread; e < COLUMNS * V * K * K; e += COLUMNS * STRIPS) {
    const int channel = e / (K * K), tap = e % (K * K);
    if (first_group * V + channel < a.channels) {
      weights[tap * COLUMNS + channel / V].at[channel % V] = get(a.weights[(long long) first_group * V * K * K + e]);
    }
  }

  float sum[SUMS + 1][V] = {};
  const int end = smaller((int) (blockIdx.y + 1) * a.strip, a.tiles);
  for (int t = blockIdx.y * a.strip; t < end; t++) {
    const int n = t / (a.tiles_h * a.tiles_w);
    const int top = t / a.tiles_w % a.tiles_h * TILE, left = t % a.tiles_w * TILE;
    __syncthreads();
    // Vectors are loaded anew for each tile, where they are used, so that they take no registers from the taps.
    //@ source vectors
    for (int p = threadIdx.y; p < SIDE * SIDE; p += STRIPS) {
      const int h = source_of(top) + FIRST + p / SIDE, w = source_of(left) + FIRST + p % SIDE;
      Pack<T, V> staged = {};
      if (inside && h >= 0 && h < a.source_h && w >= 0 && w < a.source_w) {
        Source s;
        fetch(s, a, (((long long) n * a.source_h + h) * a.source_w + w) * a.channels + c);
        {
          const Source& l = s;
#pragma unroll
          for (int i = 0; i < V; i++) {
            //@ source
          }
        }
      }
      tile[p * COLUMNS + threadIdx.x] = staged;
    }
    __syncthreads();

    const int row = threadIdx.y / (TILE / RUN), column = threadIdx.y % (TILE / RUN) * RUN;
    if (!inside || top + row >= a.height || left + column >= a.width) continue;
    float acc[RUN][V] = {};
#pragma unroll
    for (int kh = 0; kh < K; kh++) {
      const int reach = TOWARDS_INPUT ? row + PAD - kh : row * STRIDE + kh;
      // Towards the input, only every STRIDE-th row has met this tap.
      if (TOWARDS_INPUT && (reach + K * STRIDE) % STRIDE != 0) continue;
      const int from = TOWARDS_INPUT ? (reach + K * STRIDE) / STRIDE - K - FIRST : reach;
      const Pack<T, V>* line = tile + (from * SIDE + source_of(column)) * COLUMNS + threadIdx.x;
      Pack<float, V> w[K];
#pragma unroll
      for (int kw = 0; kw < K; kw++) w[kw] = weights[(kh * K + kw) * COLUMNS + threadIdx.x];
#pragma unroll
      for (int j = 0; j < RUN_READS; j++) {
        const Pack<T, V> x = line[j * COLUMNS];
#pragma unroll
        for (int r = 0; r < RUN; r++) {
          const int kw = TOWARDS_INPUT ? r + PAD - (FIRST + j) * STRIDE : j - r * STRIDE;
          if (kw >= 0 && kw < K) {
#pragma unroll
            for (int i = 0; i < V; i++) acc[r][i] += get(x.at[i]) * w[kw].at[i];
          }
        }
      }
    }
    //@ vectors
#pragma unroll
    for (int r = 0; r < RUN; r++) {
      if (left + column + r < a.width) {
        const long long at = (((long long) n * a.height + top + row) * a.width + left + column + r) * a.channels + c;
        Loads l;
        fetch(l, a, at);
        //@ declare
#pragma unroll
        for (int i = 0; i < V; i++) {
          //@ compute
        }
        //@ store
      }
    }
  }
  float* shared = reinterpret_cast<float*>(firn_shared);
  //@ sums
}

FIRN_KERNEL(ENTRY, Args)
