// Weights as they are trained (fp32, fp16, bf16), each widened exactly, times activations in fp32 by fused
// multiply-adds. For rows of whole chunks of 64. One row of x is bound by reading the weights, many by the
// multiplications: 63 % of what the memory gives and 74 % of the fp32 peak with fp32 weights on two Zen 4 cores
// (docs/measurements/cpu-speed-tinyllama.md).

struct RowsF32 {
  using Code = float;
  const float* row[4];
  F get(int n, std::int64_t slot) const { return load(row[n] + slot * lanes); }
};
struct RowsBf16 {
  using Code = std::uint16_t;
  const std::uint16_t* row[4];
  F get(int n, std::int64_t slot) const { return load_bf16(row[n] + slot * lanes); }
};
struct RowsF16 {
  using Code = std::uint16_t;
  const std::uint16_t* row[4];
  F get(int n, std::int64_t slot) const { return load_f16(row[n] + slot * lanes); }
};

template <class Op, int M, class Rows>
inline void tile_dense(const Rows& rows, const std::byte* const* x, std::int64_t chunks, float* sums) {
  F acc[lanes];
  NIBBLE_UNROLL for (int i = 0; i < lanes; ++i) acc[i] = zero();
  for (std::int64_t c = 0; c < chunks; ++c) NIBBLE_UNROLL for (int v = 0; v < Op::per_chunk; ++v) {
      const std::int64_t slot = c * Op::per_chunk + v;
      F xs[M];
      NIBBLE_UNROLL for (int m = 0; m < M; ++m) xs[m] = Op::load_x(x[m] + slot * Op::x_bytes);
      NIBBLE_UNROLL for (int n = 0; n < 4; ++n) {
        const F w = rows.get(n, slot);
        NIBBLE_UNROLL for (int m = 0; m < M; ++m) acc[m * 4 + n] = Op::step(acc[m * 4 + n], xs[m], w);
      }
    }
  reduce(acc, sums);
}

// One panel whose first row begins at `first`, by way of scratch where many rows of x meet it.
template <class Op, class Rows, bool packed>
inline void panel_dense(const LinearCall& call, std::int64_t row, std::int64_t end, const typename Rows::Code* first,
                        std::int64_t stride, std::byte* scratch) {
  Rows rows[panel_tiles];
  point_rows(rows, row, end, first, stride);
  if constexpr (!packed)
    return over_panel<std::byte>(call, row, end, [&]<int M>(int t, const std::byte* const* x, float* sums) {
      tile_dense<Op, M>(rows[t], x, call.chunks, sums);
    });
  const std::int64_t slots = call.chunks * Op::per_chunk;
  auto* out = (float*)(scratch + packed_sums_bytes);
  for (int t = 0; t < tiles_of(row, end); ++t)
    for (std::int64_t s = 0; s < slots; ++s)
      for (int n = 0; n < 4; ++n, out += lanes) store(out, rows[t].get(n, s));
  multiply_packed<Op>(call, row, end, slots, scratch);
}

// All panels of a weight that is one Rows::Code per element.
template <class Op, class Rows, bool packed>
inline void multiply_dense(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  const Weight& w = *call.weight;
  over_panels(first_row, rows, [&](std::int64_t row, std::int64_t end) {
    const auto* first = (const typename Rows::Code*)w.codes + row * w.cols;
    panel_dense<Op, Rows, packed>(call, row, end, first, w.cols, scratch);
  });
}

template <bool packed>
void run_dense_f32(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  const std::string_view format = call.weight->format;
  if (format == Fp32::name)
    multiply_dense<MultiplyF32, RowsF32, packed>(call, first_row, rows, scratch);
  else if (format == Fp16::name)
    multiply_dense<MultiplyF32, RowsF16, packed>(call, first_row, rows, scratch);
  else
    multiply_dense<MultiplyF32, RowsBf16, packed>(call, first_row, rows, scratch);
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
