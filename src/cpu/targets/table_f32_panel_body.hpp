// Four-bit codes by fp32, where a look-up costs more than beside a multiplication is free: from five rows of x on a
// panel is looked up once, into scratch. The same sums as table_f32_body.hpp's.

struct PanelOfValues {
  static constexpr bool prefetches = false;
  const float* row[4];
  void get(int n, std::int64_t c, F* w) const {
    NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) w[v] = load(row[n] + c * chunk + v * lanes);
  }
};

void run_table_f32_panel(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  const Weight& w = *call.weight;
  const Table table(call.table);
  const std::int64_t k = call.chunks * chunk;
  float* panel = (float*)scratch + panel_rows * (k / 32);
  over_panels(first_row, rows, [&](std::int64_t row, std::int64_t end) {
    TableScales scales[panel_tiles];
    point_scales(scales, call, row, end, (float*)scratch);
    for (std::int64_t r = row; r < end; ++r)
      for (std::int64_t c = 0; c < call.chunks; ++c) {
        F values[vectors];
        lookup(table, w.codes + r * w.cols / 2 + c * (chunk / 2), values);
        float* out = panel + (r - row) * k + c * chunk;
        NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) store(out + v * lanes, values[v]);
      }
    PanelOfValues values[panel_tiles];
    point_rows(values, row, end, (const float*)panel, k);
    multiply_table(call, row, end, values, scales);
  });
}

constexpr Product table_f32_by_panels = {
    .name = table_f32.name,
    .layout = table_f32.layout,
    .instruction = table_f32.instruction,
    .fits = table_f32.fits,
    .schedules = {table_f32.schedules[0], {5, "panels of 16 weight rows are looked up first", run_table_f32_panel}},
};
