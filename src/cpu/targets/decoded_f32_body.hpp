// Any weight: a panel of rows is decoded to fp32, then multiplied as fp32 weights are. For every format and shape, so
// it is what a new format runs with before it has a product of its own. Bound by decoding, which is one element after
// the other where no vectors are written for a format, and paid anew for every few rows of x.

template <bool packed>
void run_decoded_f32(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  const Weight& w = *call.weight;
  const std::int64_t k = call.chunks * chunk;
  float* panel = (float*)(scratch + packed_sums_bytes) + panel_rows * k;  // behind the packed one
  over_panels(first_row, rows, [&](std::int64_t row, std::int64_t end) {
    for (std::int64_t r = row; r < end; ++r) {
      float* out = panel + (r - row) * k;
      (*call.read)(r * w.cols, w.cols, out);
      for (std::int64_t i = w.cols; i < k; ++i) out[i] = 0;
    }
    panel_dense<MultiplyF32, RowsF32, packed>(call, row, end, panel, k, scratch);
  });
}

constexpr Product decoded_f32 = {
    .name = "decoded_f32",
    .layout = &layout_f32,
    .instruction = Instruction::fp32_fma,
    .fits = [](const WeightFacts&) { return Verdict(); },
    .schedules = {{1, "panels of 16 weight rows are decoded first", run_decoded_f32<false>},
                  {packed_from, "panels of 16 weight rows are decoded and packed first", run_decoded_f32<true>}},
};
