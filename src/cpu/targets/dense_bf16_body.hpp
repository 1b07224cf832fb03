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
  using Code = std::uint16_t;
  const std::uint16_t* row[4];
  F get(int n, std::int64_t slot) const { return load((const float*)(row[n] + slot * 2 * lanes)); }
};

struct MultiplyBf16 {
  using Sum = F;
  static constexpr std::int64_t x_bytes = vector_bytes;
  static constexpr int per_chunk = vectors / 2;
  static F load_w(const std::byte* p) { return load((const float*)p); }
  static F load_x(const std::byte* p) { return load((const float*)p); }
  static F step(F sum, F x, F w) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_castps_si512(x), (__m512bh)_mm512_castps_si512(w));
  }
};

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
    .schedules = {{1, where_it_lies, multiply_dense<MultiplyBf16, PairsOfBf16, false>},
                  {packed_from, packed_once, multiply_dense<MultiplyBf16, PairsOfBf16, true>}},
};
