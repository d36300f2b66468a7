// An optimizer's step over all tensors of a launch, by one table of segments: PyTorch's formulas, element by element, as
// io.firn.graph.Update states them; with it the moving average of what it gives. Also sums of gradients over micro-batches.
// A block has CHUNK elements of one tensor, a thread four neighbours at a time.
//
// Generated: Args, KIND, MOMENTUM (whether there is any), FLAG (Nesterov, or TensorFlow's RMSprop), CHUNK.

enum Kind { SGD, ADAMW, RMSPROP, LARS, ACCUMULATE };

// Without a gradient, w is what others have made of a state, and is averaged alone.
struct Segment {
  const float *w, *g, *s, *t, *average;
  float *new_w, *new_s, *new_t, *new_average;
  int elements, inner, taps, order, first_block;
  float factor, decay;
};

struct Step {
  float rate, decay, scale, trust, mean_share, square_share;
};

FIRN_DEVICE void update(const Args& a, const Step& p, float& w, float g, float& s, float& t) {
  if (KIND == ACCUMULATE) {
    w = (a.rates[3] == 0.f ? 0.f : w) + g * a.share;
    return;
  }
  g *= p.scale;
  if (KIND == SGD) {
    g += p.decay * w;
    if (MOMENTUM) {
      s = a.momentum * s + g;
      g = FLAG ? g + a.momentum * s : s;
    }
    w -= p.rate * g;
  } else if (KIND == ADAMW) {
    s = a.beta1 * s + a.one_less_beta1 * g;
    t = a.beta2 * t + a.one_less_beta2 * g * g;
    w = w * (1.f - p.rate * p.decay) - p.rate * (s / p.mean_share) / (sqrtf(t / p.square_share) + a.eps);
  } else if (KIND == LARS) {
    s = a.momentum * s + p.trust * (g + p.decay * w);
    w -= p.rate * s;
  } else {
    g += p.decay * w;
    s = a.beta2 * s + a.one_less_beta2 * g * g;
    const float d = FLAG ? sqrtf(s + a.eps) : sqrtf(s) + a.eps;
    // TensorFlow's momentum is made of steps that have their rate already.
    const float step = FLAG ? p.rate * (g / d) : g / d;
    t = MOMENTUM ? a.momentum * t + step : step;
    w -= FLAG ? t : p.rate * t;
  }
}

// LARS's rate of a tensor, from the sums of squares that blocks have left of its weights and of its gradient.
FIRN_DEVICE float trust_of(const Args& a, const Segment& s, float scale) {
  float* shared = reinterpret_cast<float*>(firn_shared);
  float weights = 0.f, gradients = 0.f;
  for (int i = threadIdx.x; i * CHUNK < s.elements; i += blockDim.x) {
    weights += a.squares[s.first_block + i];
    gradients += a.squares[a.stepped + s.first_block + i];
  }
  weights = sqrtf(over_block<true>(weights, shared));
  gradients = sqrtf(over_block<true>(gradients, shared)) * scale;
  return s.decay == 0.f || weights == 0.f || gradients == 0.f ? 1.f
      : a.share * weights / (gradients + s.decay * weights + a.eps);
}

FIRN_DEVICE float averaged(const Args& a, float average, float w) { return average + a.average_share * (w - average); }

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const Segment s = segment_of_block(reinterpret_cast<const Segment*>(a.table), a.segments);
  const float scale = a.scale ? *a.scale : 1.f;
  // Of gradients that are not finite nothing is taken, not even times 0.
  const bool steps = s.g && scale != 0.f;
  const float count = a.rates[1] - (a.scaling ? a.scaling[2] : 0.f);
  // 1 - βⁿ without what cancels where β is near 1.
  const Step p = {a.rates[0] * s.factor, s.decay, scale, KIND == LARS && s.g ? trust_of(a, s, scale) : 1.f,
      KIND == ADAMW ? -expm1f(count * a.log_beta1) : 1.f, KIND == ADAMW ? -expm1f(count * a.log_beta2) : 1.f};
  const int begin = (blockIdx.x - s.first_block) * CHUNK;
  const int end = smaller(begin + CHUNK, s.elements);
  for (int e = begin + threadIdx.x * 4; e < end; e += blockDim.x * 4) {
    if (e + 4 <= end) {
      Pack<float, 4> w = load<4>(s.w + e), u = {}, v = {}, g = {};
      if (steps && s.order == SAME) {
        g = load<4>(s.g + e);
      } else if (steps) {
#pragma unroll
        for (int i = 0; i < 4; i++) g.at[i] = s.g[reordered(e + i, s.inner, s.taps, s.order)];
      }
      if (s.s) u = load<4>(s.s + e);
      if (s.t) v = load<4>(s.t + e);
#pragma unroll
      for (int i = 0; i < 4; i++) if (steps) update(a, p, w.at[i], g.at[i], u.at[i], v.at[i]);
      if (s.new_w) store<4>(s.new_w + e, w);
      if (s.s) store<4>(s.new_s + e, u);
      if (s.t) store<4>(s.new_t + e, v);
      if (s.average) {
        Pack<float, 4> m = load<4>(s.average + e);
#pragma unroll
        for (int i = 0; i < 4; i++) m.at[i] = averaged(a, m.at[i], w.at[i]);
        store<4>(s.new_average + e, m);
      }
    } else {
      for (int i = e; i < end; i++) {
        float w = s.w[i], u = s.s ? s.s[i] : 0.f, v = s.t ? s.t[i] : 0.f;
        if (steps) update(a, p, w, s.g[reordered(i, s.inner, s.taps, s.order)], u, v);
        if (s.new_w) s.new_w[i] = w;
        if (s.s) s.new_s[i] = u;
        if (s.t) s.new_t[i] = v;
        if (s.average) s.new_average[i] = averaged(a, s.average[i], w);
      }
    }
  }
}

FIRN_KERNEL(ENTRY, Args)
