// LLM.int8 products. Included by linear_body.hpp inside a target's namespace; accumulate_int8 is the target's own.

// Exact integer sums, outlier columns in floating point beside them.
struct RowsInt8 {
  const std::int8_t* row[4];
  const float* outliers[4];  // decoded weights of the outlier columns
  float scale[4];            // of the row, divided by 127 * 127
};

template <int M>
inline void tile_int8(const RowsInt8& rows, const LinearCall& call, std::int64_t first_x, float* sums) {
  I acc[lanes];
  const std::int8_t* x[M];
  NIBBLE_UNROLL for (int m = 0; m < M; ++m) {
    x[m] = (const std::int8_t*)(call.x + (first_x + m) * call.x_stride);
    NIBBLE_UNROLL for (int n = 0; n < 4; ++n) acc[m * 4 + n] = load_start(call.x_start + (first_x + m) * 16);
  }
  for (std::int64_t c = 0; c < call.chunks; ++c) accumulate_int8<M>(rows, x, c, acc);
  F total[lanes];
  NIBBLE_UNROLL for (int i = 0; i < lanes; ++i) total[i] = zero();
  NIBBLE_UNROLL for (int m = 0; m < M; ++m) NIBBLE_UNROLL for (int n = 0; n < 4; ++n) {
    F sum = mul(to_float(acc[m * 4 + n]), set1(call.x_scales[first_x + m] * rows.scale[n]));
    const float* outliers = call.x_outliers + (first_x + m) * call.outliers_padded;
    for (std::int64_t i = 0; i < call.outliers_padded; i += lanes)
      sum = fma(load(outliers + i), load(rows.outliers[n] + i), sum);
    total[m * 4 + n] = sum;
  }
  reduce(total, sums);
}

inline void linear_int8(const LinearCall& call, std::int64_t row, std::int64_t end, int tiles, std::byte* scratch) {
  const Weight& w = *call.weight;
  const std::int8_t* codes = (const std::int8_t*)w.codes;
  float* outliers = (float*)scratch;
  RowsInt8 rows[panel_tiles];
  for (int t = 0; t < tiles; ++t)
    for (int n = 0; n < 4; ++n) {
      const std::int64_t r = clamped(row + 4 * t + n, end);
      rows[t].row[n] = codes + r * w.cols;
      rows[t].scale[n] = w.scales[r] * (1.0f / (127.0f * 127.0f));
      float* decoded = outliers + (4 * t + n) * call.outliers_padded;
      for (std::int64_t i = 0; i < call.outliers; ++i)
        decoded[i] = float(rows[t].row[n][call.outlier_columns[i]]) * (w.scales[r] * Int8::step);
      for (std::int64_t i = call.outliers; i < call.outliers_padded; ++i) decoded[i] = 0;
      rows[t].outliers[n] = decoded;
    }
  for (std::int64_t begin = 0; begin < call.m; begin += x_block)
    for (int t = 0; t < tiles; ++t) {
      const std::int64_t stop = begin + x_block < call.m ? begin + x_block : call.m, first = row + 4 * t;
      const int valid = int(end - first < 4 ? end - first : 4);
      over_x(
          call, first, valid, [&](std::int64_t m, float* sums) { tile_int8<tile_rows>(rows[t], call, m, sums); },
          [&](std::int64_t m, float* sums) { tile_int8<1>(rows[t], call, m, sums); }, begin, stop);
    }
}

// Rows that are not whole chunks: rare shapes, no vectors.
inline void linear_int8_plain(const LinearCall& call, std::int64_t row, std::int64_t end) {
  const Weight& w = *call.weight;
  for (std::int64_t r = row; r < end; ++r)
    for (std::int64_t m = 0; m < call.m; ++m) {
      const std::int8_t* codes = (const std::int8_t*)w.codes + r * w.cols;
      const std::int8_t* x = (const std::int8_t*)(call.x + m * call.x_stride);
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < w.cols; ++i) sum += std::int32_t(codes[i]) * x[i];
      float value = float(sum) * (call.x_scales[m] * (w.scales[r] * (1.0f / (127.0f * 127.0f))));
      for (std::int64_t i = 0; i < call.outliers; ++i)
        value += call.x_outliers[m * call.outliers_padded + i] *
                 (float(codes[call.outlier_columns[i]]) * (w.scales[r] * Int8::step));
      put(call, m, r, 1, &value);
    }
}
