// Four-bit codes of a table of 16 values (nf4, fp4) times activations in fp32: a look-up per vector of codes, and a
// scale that multiplies a chunk's sum instead of every weight. For rows of whole chunks and whole blocks. Bound by the
// work per code: look-ups and fp32 multiply-adds; weights are read faster than that.

// Scales of four rows: `step` floats per chunk, 1 or (blocks of 32) 2.
struct TableScales {
  const float* row[4];
  std::int64_t shift = 0;  // log2 of chunks per scale
};

struct RowsOfCodes {  // where they lie
  static constexpr bool prefetches = true;
  const std::byte* row[4];
  Table table;
  void get(int n, std::int64_t c, F* w) const { lookup(table, row[n] + c * (chunk / 2), w); }
};

template <int M, class Rows, bool Halves>
inline void tile_table(const Rows& rows, const TableScales& scales, const float* const* x, std::int64_t chunks,
                       float* sums) {
  F acc[lanes];
  NIBBLE_UNROLL for (int i = 0; i < lanes; ++i) acc[i] = zero();
  for (std::int64_t c = 0; c < chunks; ++c) {
    if constexpr (Rows::prefetches) prefetch_ahead<2 * chunk>(following_rows(rows.row) + 2 * chunk * c);
    NIBBLE_UNROLL for (int n = 0; n < 4; ++n) {
      F w[vectors];
      rows.get(n, c, w);
      if constexpr (!Halves) {
        const F scale = set1(scales.row[n][c >> scales.shift]);
        NIBBLE_UNROLL for (int m = 0; m < M; ++m) {
          F sum = mul(load(x[m] + c * chunk), w[0]);
          for (int v = 1; v < vectors; ++v) sum = fma(load(x[m] + c * chunk + v * lanes), w[v], sum);
          acc[m * 4 + n] = fma(sum, scale, acc[m * 4 + n]);
        }
      } else {
        const F first = set1(scales.row[n][2 * c]), second = set1(scales.row[n][2 * c + 1]);
        NIBBLE_UNROLL for (int m = 0; m < M; ++m) NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) acc[m * 4 + n] =
            fma(mul(load(x[m] + c * chunk + v * lanes), w[v]), first_half(v) ? first : second, acc[m * 4 + n]);
      }
    }
  }
  reduce(acc, sums);
}

// Scales of one row as floats: where they lie, or decoded into scratch if they are double-quantized.
inline const float* row_scales(const Weight& w, std::int64_t row, std::int64_t count, float* scratch) {
  const std::int64_t first = row * w.cols / w.block_size;
  if (w.nested.empty()) return w.scales.data() + first;
  const NestedScales& nested = w.nested;
  for (std::int64_t i = 0; i < count;) {
    const std::int64_t block = (first + i) / nested.block, stop = (block + 1) * nested.block - first,
                       end = stop < count ? stop : count;
    const float absmax = nested.absmax[block];
    for (; i < end; ++i) scratch[i] = nested.map[nested.codes[first + i]] * absmax + nested.offset;
  }
  return scratch;
}

inline void point_scales(TableScales* scales, const LinearCall& call, std::int64_t row, std::int64_t end,
                         float* scratch) {
  const Weight& w = *call.weight;
  const std::int64_t k = call.chunks * chunk, per_row = w.cols / w.block_size;
  std::int64_t shift = 0;
  while ((chunk << shift) < w.block_size) ++shift;
  for (int t = 0; t < tiles_of(row, end); ++t) {
    scales[t].shift = shift;
    NIBBLE_UNROLL for (int n = 0; n < 4; ++n) scales[t].row[n] =
        row_scales(w, clamped(row + 4 * t + n, end), per_row, scratch + (4 * t + n) * (k / 32));
  }
}

template <class Rows>
inline void multiply_table(const LinearCall& call, std::int64_t row, std::int64_t end, const Rows* rows,
                           const TableScales* scales) {
  if (call.weight->block_size == 32)
    over_panel<float>(call, row, end, [&]<int M>(int t, const float* const* x, float* sums) {
      tile_table<M, Rows, true>(rows[t], scales[t], x, call.chunks, sums);
    });
  else
    over_panel<float>(call, row, end, [&]<int M>(int t, const float* const* x, float* sums) {
      tile_table<M, Rows, false>(rows[t], scales[t], x, call.chunks, sums);
    });
}

void run_table_f32(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  const Weight& w = *call.weight;
  const Table table(call.table);
  over_panels(first_row, rows, [&](std::int64_t row, std::int64_t end) {
    TableScales scales[panel_tiles];
    point_scales(scales, call, row, end, (float*)scratch);
    RowsOfCodes codes[panel_tiles];
    for (RowsOfCodes& tile : codes) tile.table = table;
    point_rows(codes, row, end, w.codes + row * w.cols / 2, w.cols / 2);
    multiply_table(call, row, end, codes, scales);
  });
}

constexpr Product table_f32 = {
    .name = "table_f32",
    .layout = &layout_f32_paired,
    .instruction = Instruction::fp32_fma,
    .fits = fits_codes_of_a_table,
    .schedules = {{1, "codes are looked up where they lie", run_table_f32}},
};
