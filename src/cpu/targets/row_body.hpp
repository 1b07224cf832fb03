// Everything that works on single rows: arranging activations, norms, the gate. Included inside a target's namespace.

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

inline F rounded(F x, DType type) {
  return type == DType::bf16 ? round_bf16(x) : type == DType::f16 ? round_f16(x) : x;
}

// Element of the group that stands at `to`: see targets/table_bf16_body.hpp.
constexpr int grouped_from(int to) { return to % 32 / 8 * 64 + to / 128 * 32 + to % 8 * 4 + to / 32 % 4; }

void arrange(const float* x, std::int64_t k, std::int64_t chunks, Activations form, DType rounding, std::byte* out) {
#ifdef NIBBLE_TARGET_BF16
  if (form == Activations::fixed16) return arrange_fixed(x, chunks, out);
#endif
  const int span = int(chunk * chunks_together(form));
  for (std::int64_t first = 0; first < chunks * chunk; first += span) {
    float piece[4 * chunk] = {}, values[4 * chunk];
    const std::int64_t count = k - first < span ? k - first : span;
    for (std::int64_t i = 0; i < count; ++i) piece[i] = x[first + i];
    for (int v = 0; v < span; v += lanes) store(piece + v, rounded(load(piece + v), rounding));
    const float* from = piece;
    if (form == Activations::f32_paired) {
      for (int i = 0; i < int(chunk) / 2; ++i) values[i] = piece[2 * i], values[32 + i] = piece[2 * i + 1];
      from = values;
    } else if (form == Activations::bf16_grouped) {
      for (int i = 0; i < span; ++i) values[i] = piece[grouped_from(i)];
      from = values;
    }
    if (form == Activations::bf16 || form == Activations::bf16_grouped) {
      for (int v = 0; v < span; v += lanes) store_bf16((std::uint16_t*)out + first + v, load(from + v));
    } else {
      for (int v = 0; v < span; v += lanes) store((float*)out + first + v, load(from + v));
    }
  }
}

inline F absolute(F x) { return max(x, sub(zero(), x)); }

float scan_int8(const float* x, std::int64_t k, float threshold, std::uint8_t* flags) {
  F highest = zero();
  float tail = 0;
  std::int64_t i = 0;
  for (; i + chunk <= k; i += chunk) {
    F parts[vectors], most = zero();
    for (int v = 0; v < vectors; ++v)
      parts[v] = absolute(round_f16(load(x + i + v * lanes))), most = max(most, parts[v]);
    if (threshold > 0 && lane_max(most) >= threshold) {
      float values[chunk];
      for (int v = 0; v < vectors; ++v) store(values + v * lanes, parts[v]);
      for (int l = 0; l < int(chunk); ++l)
        if (values[l] >= threshold) flags[i + l] = 1, values[l] = 0;
      most = zero();
      for (int v = 0; v < vectors; ++v) most = max(most, load(values + v * lanes));
    }
    highest = max(highest, most);
  }
  for (; i < k; ++i) {
    float value[lanes] = {x[i]};
    store(value, absolute(round_f16(load(value))));
    if (threshold > 0 && value[0] >= threshold)
      flags[i] = 1;
    else
      tail = value[0] > tail ? value[0] : tail;
  }
  const float vector_max = lane_max(highest);
  return vector_max > tail ? vector_max : tail;
}

void encode_int8(const float* x, std::int64_t k, std::int64_t chunks, float absmax, const std::uint8_t* flags,
                 std::int8_t* codes, std::int32_t* start) {
  const F scale = set1(absmax > 0 ? (1.0f / absmax) * 127.0f : 0.0f);  // two roundings, as in bitsandbytes
  for (std::int64_t c = 0; c < chunks; ++c) {
    float piece[chunk] = {};
    const std::int64_t count = k - c * chunk < chunk ? k - c * chunk : chunk;
    for (std::int64_t i = 0; i < count; ++i) piece[i] = flags[c * chunk + i] ? 0.0f : x[c * chunk + i];
    for (int v = 0; v < int(chunk); v += lanes) store_i8(codes + c * chunk + v, mul(round_f16(load(piece + v)), scale));
  }
  start_int8(codes, chunks, start);
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
  for (std::int64_t j = i; j < count; ++j) g[j - i] = gate[j], u[j - i] = up[j];
  store(g, mul(silu(load(g)), load(u)));
  for (std::int64_t j = i; j < count; ++j) out[j] = g[j - i];
}
