// Weights as they are trained (fp32, fp16, bf16), each widened exactly, times activations in fp32 by fused
// multiply-adds. For rows of whole chunks of 64. One row of x is bound by reading the weights, many by the
// multiplications: 63 % of what the memory gives and 74 % of the fp32 peak with fp32 weights on two Zen 4 cores
// (docs/measurements/cpu-speed-tinyllama.md).

struct RowsF32 {
  using Code = float;
  const float* row[4];
  F get(int n, std::int64_t k) const { return load(row[n] + k); }
};
struct RowsBf16 {
  using Code = std::uint16_t;
  const std::uint16_t* row[4];
  F get(int n, std::int64_t k) const { return load_bf16(row[n] + k); }
};
struct RowsF16 {
  using Code = std::uint16_t;
  const std::uint16_t* row[4];
  F get(int n, std::int64_t k) const { return load_f16(row[n] + k); }
};

template <int M, class Rows>
inline void tile_dense(const Rows& rows, const float* const* x, std::int64_t chunks, float* sums) {
  F acc[lanes];
  NIBBLE_UNROLL for (int i = 0; i < lanes; ++i) acc[i] = zero();
  for (std::int64_t c = 0; c < chunks; ++c) NIBBLE_UNROLL for (int v = 0; v < vectors; ++v) {
      F xs[M];
      NIBBLE_UNROLL for (int m = 0; m < M; ++m) xs[m] = load(x[m] + c * chunk + v * lanes);
      NIBBLE_UNROLL for (int n = 0; n < 4; ++n) {
        const F w = rows.get(n, c * chunk + v * lanes);
        NIBBLE_UNROLL for (int m = 0; m < M; ++m) acc[m * 4 + n] = fma(xs[m], w, acc[m * 4 + n]);
      }
    }
  reduce(acc, sums);
}

// One panel whose first row begins at `first`, by way of scratch where many rows of x meet it.
template <class Rows, bool packed>
inline void panel_dense(const LinearCall& call, std::int64_t row, std::int64_t end, const typename Rows::Code* first,
                        std::int64_t stride, std::byte* scratch) {
  Rows rows[panel_tiles];
  point_rows(rows, row, end, first, stride);
  if constexpr (!packed)
    return over_panel<float>(call, row, end, [&]<int M>(int t, const float* const* x, float* sums) {
      tile_dense<M>(rows[t], x, call.chunks, sums);
    });
  const std::int64_t slots = call.chunks * vectors;
  auto* out = (float*)(scratch + packed_sums_bytes);
  for (int t = 0; t < tiles_of(row, end); ++t)
    for (std::int64_t s = 0; s < slots; ++s)
      for (int n = 0; n < 4; ++n, out += lanes) store(out, rows[t].get(n, s * lanes));
  multiply_packed<MultiplyF32>(call, row, end, slots, scratch);
}

template <bool packed>
void run_dense_f32(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  const Weight& w = *call.weight;
  const auto run = [&]<class Rows>() {
    using Code = typename Rows::Code;
    over_panels(first_row, rows, [&](std::int64_t row, std::int64_t end) {
      panel_dense<Rows, packed>(call, row, end, (const Code*)w.codes + row * w.cols, w.cols, scratch);
    });
  };
  if (w.format == Fp32::name) return run.template operator()<RowsF32>();
  if (w.format == Fp16::name) return run.template operator()<RowsF16>();
  run.template operator()<RowsBf16>();
}

Verdict fits_dense_f32(const WeightFacts& weight) {
  if (weight.format != Fp32::name && weight.format != Fp16::name && weight.format != Bf16::name)
    return {"its weights are not fp32, fp16 or bf16"};
  return fits_whole_chunks(weight);
}

constexpr Product dense_f32 = {
    .name = "dense_f32",
    .layout = &layout_f32,
    .instruction = Instruction::fp32_fma,
    .fits = fits_dense_f32,
    .schedules = {{1, where_it_lies, run_dense_f32<false>}, {packed_from, packed_once, run_dense_f32<true>}},
};
