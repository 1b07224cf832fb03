// What works on single rows: norms, the gate, and the exponential function that attention shares.

// exp(x): 2^n times a polynomial over half an octave (coefficients of Cephes' expf); relative error below 2e-7.
inline F exp(F x) {
  x = max(set1(-87.0f), min(set1(88.0f), x));  // in this order of operands, NaN stays NaN
  const F n = round_nearest(mul(x, set1(1.44269504f)));
  const F r = fma(n, set1(2.12194440e-4f), fma(n, set1(-0.693359375f), x));
  F p = set1(1.9875691500e-4f);
  for (const float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
    p = fma(p, r, set1(c));
  p = add(fma(p, mul(r, r), r), set1(1.0f));
  return mul(p, power_of_two(n));
}

void rms_norm(const float* x, const float* gain, std::int64_t width, float eps, float* out) {
  F sum = zero();
  double squares = 0;
  std::int64_t i = 0;
  for (; i + lanes <= width; i += lanes) sum = fma(load(x + i), load(x + i), sum);
  for (; i < width; ++i) squares += double(x[i]) * x[i];
  squares += lane_sum(sum);
  const auto inverse = float(1.0 / __builtin_sqrt(squares / double(width) + eps));
  for (i = 0; i + lanes <= width; i += lanes) store(out + i, mul(mul(load(x + i), set1(inverse)), load(gain + i)));
  for (; i < width; ++i) out[i] = x[i] * inverse * gain[i];
}

inline F silu(F g) { return div(g, add(set1(1.0f), exp(sub(zero(), g)))); }

void silu_mul(const float* gate, const float* up, std::int64_t count, float* out) {
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) store(out + i, mul(silu(load(gate + i)), load(up + i)));
  if (i == count) return;
  float g[lanes] = {}, u[lanes] = {};
  for (std::int64_t j = i; j < count; ++j) {
    g[j - i] = gate[j];
    u[j - i] = up[j];
  }
  store(g, mul(silu(load(g)), load(u)));
  for (std::int64_t j = i; j < count; ++j) out[j] = g[j - i];
}
