// Rows of x as LLM.int8 has them, in two steps because a column that holds an outlier anywhere is taken out of all rows
// (cpu/outlier_columns.hpp stands between the two). store_i8 and start_int8 are the target's own.

inline F absolute(F x) { return max(x, sub(zero(), x)); }

float scan_int8(const float* x, std::int64_t k, float threshold, std::uint8_t* flags) {
  F highest = zero();
  for (std::int64_t i = 0; i < k; i += chunk) {
    const std::int64_t count = k - i < chunk ? k - i : chunk;
    const float* from = x + i;
    float values[chunk];
    if (count < chunk) {
      for (int l = 0; l < int(chunk); ++l) values[l] = l < count ? from[l] : 0;
      from = values;
    }
    F parts[vectors], most = zero();
    for (int v = 0; v < vectors; ++v) {
      parts[v] = absolute(round_f16(load(from + v * lanes)));
      most = max(most, parts[v]);
    }
    if (threshold > 0 && lane_max(most) >= threshold) {
      for (int v = 0; v < vectors; ++v) store(values + v * lanes, parts[v]);
      for (int l = 0; l < count; ++l)
        if (values[l] >= threshold) {
          flags[i + l] = 1;
          values[l] = 0;
        }
      most = zero();
      for (int v = 0; v < vectors; ++v) most = max(most, load(values + v * lanes));
    }
    highest = max(highest, most);
  }
  return lane_max(highest);
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
