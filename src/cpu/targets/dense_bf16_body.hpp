// bf16 weights times bf16 activations: pairs of products, summed in fp32 by one instruction. For rows of whole chunks
// of 64. One row of x is bound by reading the weights, many by that instruction: 55 % of what the memory gives and 68 %
// of the bf16 peak on two Zen 4 cores (docs/measurements/cpu-speed-tinyllama.md).

constexpr Layout layout_bf16 = {
    .name = "bf16",
    .row_bytes = [](std::int64_t chunks) { return chunks * chunk * 2; },
    .arrange =
        [](const float* x, std::int64_t k, std::int64_t chunks, DType rounding, std::byte* out) {
          arrange_pieces<chunk>(x, k, chunks, rounding, [&](std::int64_t to, const float* piece) {
            for (int v = 0; v < int(chunk); v += lanes) store_bf16((std::uint16_t*)out + to + v, load(piece + v));
          });
        },
};

struct PairsOfBf16 {
  const std::uint16_t* row[4];
};

template <int M>
inline void tile_bf16(const PairsOfBf16& rows, const std::uint16_t* const* x, std::int64_t chunks, float* sums) {
  F acc[lanes];
  NIBBLE_UNROLL for (int i = 0; i < lanes; ++i) acc[i] = zero();
  for (std::int64_t s = 0; s < 2 * chunks; ++s) {
    I xs[M];
    NIBBLE_UNROLL for (int m = 0; m < M; ++m) xs[m] = _mm512_loadu_si512(x[m] + 32 * s);
    NIBBLE_UNROLL for (int n = 0; n < 4; ++n) {
      const I w = _mm512_loadu_si512(rows.row[n] + 32 * s);
      NIBBLE_UNROLL for (int m = 0; m < M; ++m) acc[m * 4 + n] =
          _mm512_dpbf16_ps(acc[m * 4 + n], (__m512bh)xs[m], (__m512bh)w);
    }
  }
  reduce(acc, sums);
}

struct MultiplyBf16 {
  using Sum = F;
  static constexpr std::int64_t x_bytes = 64;
  static F load_w(const std::byte* p) { return load((const float*)p); }
  static F load_x(const std::byte* p) { return load((const float*)p); }
  static F step(F sum, F x, F w) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_castps_si512(x), (__m512bh)_mm512_castps_si512(w));
  }
};

template <bool packed>
void run_dense_bf16(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) {
  const Weight& w = *call.weight;
  over_panels(first_row, rows, [&](std::int64_t row, std::int64_t end) {
    PairsOfBf16 pairs[panel_tiles];
    point_rows(pairs, row, end, (const std::uint16_t*)w.codes + row * w.cols, w.cols);
    if constexpr (!packed)
      return over_panel<std::uint16_t>(call, row, end, [&]<int M>(int t, const std::uint16_t* const* x, float* sums) {
        tile_bf16<M>(pairs[t], x, call.chunks, sums);
      });
    const std::int64_t slots = 2 * call.chunks;
    std::byte* out = scratch + packed_sums_bytes;
    for (int t = 0; t < tiles_of(row, end); ++t)
      for (std::int64_t s = 0; s < slots; ++s)
        for (int n = 0; n < 4; ++n, out += 64) _mm512_storeu_si512(out, _mm512_loadu_si512(pairs[t].row[n] + 32 * s));
    multiply_packed<MultiplyBf16>(call, row, end, slots, scratch);
  });
}

Verdict fits_dense_bf16(const WeightFacts& weight) {
  if (weight.format != Bf16::name) return {"its weights are not bf16"};
  if (weight.compute != DType::bf16) return {"activations are not to be rounded to bf16"};
  return fits_whole_chunks(weight);
}

constexpr Product dense_bf16 = {
    .name = "dense_bf16",
    .layout = &layout_bf16,
    .instruction = Instruction::bf16_dot,
    .fits = fits_dense_bf16,
    .schedules = {{1, where_it_lies, run_dense_bf16<false>}, {packed_from, packed_once, run_dense_bf16<true>}},
};
