// How rows of x are laid out, in 32 or 16 bits. A product that wants another layout defines it in its own file.

inline F rounded(F x, DType type) {
  return type == DType::bf16 ? round_bf16(x) : type == DType::f16 ? round_f16(x) : x;
}

// Pieces of `span` elements, padded with zeros and rounded; put(to, piece) writes one to where element `to` belongs.
template <int span, class Put>
inline void arrange_pieces(const float* x, std::int64_t k, std::int64_t chunks, DType rounding, Put put) {
  for (std::int64_t first = 0; first < chunks * chunk; first += span) {
    float piece[span] = {};
    const std::int64_t count = k - first < span ? k - first : span;
    for (std::int64_t i = 0; i < count; ++i) piece[i] = x[first + i];
    for (int v = 0; v < span; v += lanes) store(piece + v, rounded(load(piece + v), rounding));
    put(first, piece);
  }
}

constexpr std::int64_t bytes_as_f32(std::int64_t chunks) { return chunks * chunk * 4; }

constexpr Layout layout_f32 = {
    .name = "fp32",
    .row_bytes = bytes_as_f32,
    .arrange =
        [](const float* x, std::int64_t k, std::int64_t chunks, DType rounding, std::byte* out) {
          arrange_pieces<chunk>(x, k, chunks, rounding, [&](std::int64_t to, const float* piece) {
            for (int v = 0; v < int(chunk); v += lanes) store((float*)out + to + v, load(piece + v));
          });
        },
};

// Within each chunk the even elements come first, then the odd ones, as the two nibbles of a byte come out of a vector
// of bytes.
constexpr Layout layout_f32_paired = {
    .name = "fp32, even columns before odd ones",
    .row_bytes = bytes_as_f32,
    .arrange =
        [](const float* x, std::int64_t k, std::int64_t chunks, DType rounding, std::byte* out) {
          arrange_pieces<chunk>(x, k, chunks, rounding, [&](std::int64_t to, const float* piece) {
            float* at = (float*)out + to;
            for (int i = 0; i < int(chunk) / 2; ++i) {
              at[i] = piece[2 * i];
              at[32 + i] = piece[2 * i + 1];
            }
          });
        },
};
