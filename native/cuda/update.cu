// An optimizer's step over all tensors of a launch, by one table of segments: PyTorch's formulas, element by element, as
// io.firn.graph.Update states them. A block has CHUNK elements of one tensor, a thread four neighbours at a time.
//
// Generated: Args, KIND, MOMENTUM (whether there is any), FLAG (Nesterov, or TensorFlow's RMSprop), CHUNK.

enum Kind { SGD, ADAMW, RMSPROP };

struct Segment {
  const float *w, *g, *s, *t;
  float *new_w, *new_s, *new_t;
  int elements, inner, taps, order, first_block;
  float factor, decay;
};

struct Step {
  float rate, decay, mean_share, square_share;
};

FIRN_DEVICE void update(const Args& a, const Step& p, float& w, float g, float& s, float& t) {
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

extern "C" __global__ void __launch_bounds__(256) ENTRY(const __grid_constant__ Args a) {
  const Segment s = segment_of_block(reinterpret_cast<const Segment*>(a.table), a.segments);
  const float steps = a.rates[1];
  // 1 - βⁿ without what cancels where β is near 1.
  const Step p = {a.rates[0] * s.factor, s.decay, KIND == ADAMW ? -expm1f(steps * a.log_beta1) : 1.f,
      KIND == ADAMW ? -expm1f(steps * a.log_beta2) : 1.f};
  const int begin = (blockIdx.x - s.first_block) * CHUNK;
  const int end = smaller(begin + CHUNK, s.elements);
  for (int e = begin + threadIdx.x * 4; e < end; e += blockDim.x * 4) {
    if (e + 4 <= end) {
      Pack<float, 4> w = load<4>(s.w + e), u = {}, v = {}, g;
      if (s.order == SAME) {
        g = load<4>(s.g + e);
      } else {
#pragma unroll
        for (int i = 0; i < 4; i++) g.at[i] = s.g[reordered(e + i, s.inner, s.taps, s.order)];
      }
      if (s.s) u = load<4>(s.s + e);
      if (s.t) v = load<4>(s.t + e);
#pragma unroll
      for (int i = 0; i < 4; i++) update(a, p, w.at[i], g.at[i], u.at[i], v.at[i]);
      store<4>(s.new_w + e, w);
      if (s.s) store<4>(s.new_s + e, u);
      if (s.t) store<4>(s.new_t + e, v);
    } else {
      for (int i = e; i < end; i++) {
        float w = s.w[i], u = s.s ? s.s[i] : 0.f, v = s.t ? s.t[i] : 0.f;
        update(a, p, w, s.g[reordered(i, s.inner, s.taps, s.order)], u, v);
        s.new_w[i] = w;
        if (s.s) s.new_s[i] = u;
        if (s.t) s.new_t[i] = v;
      }
    }
  }
}

FIRN_KERNEL(ENTRY, Args)
