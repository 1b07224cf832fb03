// LLM.int8 products. Included by linear_body.hpp inside a target's namespace; MultiplyInt8 is the target's own.

// Exact integer sums, outlier columns in floating point beside them.
struct RowsInt8 {
  const std::int8_t* row[panel_rows];
  float* outliers;                              // decoded weights of the outlier columns, packed
  float absmax[panel_rows], scale[panel_rows];  // of the row; divided by 127 * 127
};

// Integer sums of row m of x and weight row n, as lanes of the product.
inline F scaled_int8(const LinearCall& call, const RowsInt8& rows, std::int64_t m, int n, I sum) {
  return mul(to_float(sum), set1(call.x_scales[m] * rows.scale[n]));
}

// The outlier columns of row n, decoded to their place among the packed ones.
inline void decode_outliers(const LinearCall& call, const RowsInt8& rows, int n) {
  const Weight& w = *call.weight;
  const std::int8_t* codes_end = (const std::int8_t*)w.codes + w.rows * w.cols;
  const F scale = set1(rows.absmax[n] * Int8::step);
  for (std::int64_t i = 0; i < call.outliers_padded; i += lanes)
    store(rows.outliers + n / 4 * 4 * call.outliers_padded + i * 4 + n % 4 * lanes,
          mul(gather_i8(rows.row[n], call.outlier_columns + i, codes_end), scale));
}

// One row of x against a panel of codes where they lie, `lanes` rows at a time.
inline void row_int8(const LinearCall& call, const RowsInt8& rows, std::int64_t m, std::int64_t row, std::int64_t end) {
  using Op = MultiplyInt8;
  const std::byte* x = call.x + m * call.x_stride;
  const std::int64_t k = call.chunks * chunk;
  for (int first = 0; first < int(end - row); first += lanes) {
    F products[lanes];
    for (int n = 0; n < lanes; ++n) {
      const auto* w = (const std::byte*)rows.row[first + n];
      I acc = load_start(call.x_start + m * 16);
      for (std::int64_t c = 0; c < k; c += chunk) {
        fetch_ahead<chunk>(w + c);
        NIBBLE_UNROLL for (std::int64_t s = c; s < c + chunk; s += Op::x_bytes) acc =
            Op::step(acc, Op::load_x(x + s), Op::load_code(w + s));
      }
      products[n] = scaled_int8(call, rows, m, first + n, acc);
      // Gathered only now that the row is in the cache: before, every column would be a wait for memory.
      if (m == 0) decode_outliers(call, rows, first + n);
    }
    for (int n = 0; n < lanes; n += 4)
      multiply_tile<MultiplyF32, 1>((const std::byte*)(rows.outliers + (first + n) * call.outliers_padded),
                                    (const std::byte*)(call.x_outliers + m * call.outliers_padded), 0,
                                    call.outliers_padded / lanes, products + n);
    float sums[lanes];
    reduce(products, sums);
    for (std::int64_t n = row + first; n < end && n < row + first + lanes; n += 4)
      put(call, m, n, int(end - n < 4 ? end - n : 4), sums + (n - row - first));
  }
}

inline void linear_int8(const LinearCall& call, std::int64_t row, std::int64_t end, int tiles, std::byte* scratch) {
  using Op = MultiplyInt8;
  const Weight& w = *call.weight;
  RowsInt8 rows;
  rows.outliers = (float*)(scratch + packed_sums_bytes) + panel_rows * call.chunks * chunk;  // behind the packed
  for (int n = 0; n < int(panel_rows); ++n) {
    const std::int64_t r = clamped(row + n, end);
    rows.row[n] = (const std::int8_t*)w.codes + r * w.cols;
    rows.absmax[n] = w.scales[r];
    rows.scale[n] = w.scales[r] * (1.0f / (127.0f * 127.0f));
  }
  if (call.m < packed_from) {
    for (std::int64_t m = 0; m < call.m; ++m) row_int8(call, rows, m, row, end);
    return;
  }
  const std::int64_t slots = call.chunks * chunk / Op::x_bytes;
  std::byte *packed = scratch + packed_sums_bytes, *out = packed;
  for (int t = 0; t < tiles; ++t)
    for (std::int64_t s = 0; s < slots; ++s)
      for (int n = 0; n < 4; ++n, out += vector_bytes)
        store_vector(out, Op::load_code((const std::byte*)rows.row[4 * t + n] + s * Op::x_bytes));
  for (int n = 0; n < int(panel_rows); ++n) decode_outliers(call, rows, n);
  over_packed(
      call, DensePanel<Op>{packed, slots}, tiles, scratch,
      [&](std::int64_t m, I* acc) {
        for (int n = 0; n < 4; ++n) acc[n] = load_start(call.x_start + m * 16);
      },
      [&](int t, std::int64_t m, int count, const I* acc) {
        F products[4 * packed_rows];
        for (int i = 0; i < count; ++i)
          for (int n = 0; n < 4; ++n) products[4 * i + n] = scaled_int8(call, rows, m + i, 4 * t + n, acc[4 * i + n]);
        const DensePanel<MultiplyF32> floats{(const std::byte*)rows.outliers, call.outliers_padded / lanes};
        multiply_rows(floats, count, t, 0, floats.slots, (const std::byte*)(call.x_outliers + m * call.outliers_padded),
                      call.outliers_padded * std::int64_t(sizeof(float)), products);
        finish_rows(call, row + 4 * t, end, m, count, products);
      });
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
