// LLM.int8 products: exact sums of products of bytes, and the columns that hold outliers in floating point beside them.
// MultiplyInt8 is the target's own. For rows of whole chunks of 64. One row of x is bound by reading the weights, many
// by the integer products and by reading rows of x from the second-level cache: 47 % of what the memory gives and 51 %
// of the int8 peak on two Zen 4 cores (docs/measurements/cpu-speed-tinyllama.md).

constexpr Layout layout_int8 = {.name = "int8", .row_bytes = [](std::int64_t chunks) { return chunks * chunk; }};

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
        prefetch_ahead<chunk>(w + c);
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

inline RowsInt8 rows_int8(const LinearCall& call, std::int64_t row, std::int64_t end, std::byte* scratch) {
  const Weight& w = *call.weight;
  RowsInt8 rows;
  rows.outliers = (float*)(scratch + packed_sums_bytes) + panel_rows * call.chunks * chunk;  // behind the packed
  for (int n = 0; n < int(panel_rows); ++n) {
    const std::int64_t r = clamped(row + n, end);
    rows.row[n] = (const std::int8_t*)w.codes + r * w.cols;
    rows.absmax[n] = w.scales[r];
    rows.scale[n] = w.scales[r] * (1.0f / (127.0f * 127.0f));
  }
  return rows;
}

void run_int8(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  over_panels(first_row, rows, [&](std::int64_t row, std::int64_t end) {
    const RowsInt8 panel = rows_int8(call, row, end, scratch);
    for (std::int64_t m = 0; m < call.m; ++m) row_int8(call, panel, m, row, end);
  });
}

inline void packed_int8(const LinearCall& call, std::int64_t row, std::int64_t end, std::byte* scratch) {
  using Op = MultiplyInt8;
  const RowsInt8 rows = rows_int8(call, row, end, scratch);
  const int tiles = tiles_of(row, end);
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

void run_int8_packed(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  over_panels(first_row, rows, [&](std::int64_t row, std::int64_t end) { packed_int8(call, row, end, scratch); });
}

// Any number of columns: rare shapes, no vectors.
void run_int8_plain(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte*) {
  const Weight& w = *call.weight;
  for (std::int64_t r = first_row; r < first_row + rows; ++r)
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

Verdict fits_int8_any_columns(const WeightFacts& weight) {
  if (weight.format != Int8::name) return {"its weights are not int8"};
  return {};
}
Verdict fits_int8(const WeightFacts& weight) {
  const Verdict verdict = fits_int8_any_columns(weight);
  return verdict.fits() ? fits_whole_chunks(weight) : verdict;
}

constexpr Product int8_product = {
    .name = "int8",
    .layout = &layout_int8,
    .instruction = MultiplyInt8::instruction,
    .fits = fits_int8,
    .schedules = {{1, where_it_lies, run_int8}, {packed_from, packed_once, run_int8_packed}},
};
constexpr Product int8_any_columns = {
    .name = "int8_any_columns",
    .layout = &layout_int8,
    .instruction = MultiplyInt8::instruction,
    .fits = fits_int8_any_columns,
    .schedules = {{1, "one product after the other", run_int8_plain}},
};
