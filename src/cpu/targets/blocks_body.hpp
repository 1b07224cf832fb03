// Products with ggml's blocks where they lie. Included by linear_body.hpp inside a target's namespace: the values of
// `lanes` elements from k on are those of F::value in formats/blocks.hpp, to the bit (so no multiplication is fused).

inline F f16_at(const std::byte* at) {
  std::uint16_t bits;
  __builtin_memcpy(&bits, at, sizeof bits);
  return set1(_mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits))));
}
// Codes of a vector that begins at element `at` of 32 in 16 bytes.
inline I nibbles(const std::byte* packed, int at) { return bits_of(load_u8(packed + at % 16), at < 16 ? 0 : 4, 15); }

template <class B>
F block_values(const std::byte* block, int at);

template <>
inline F block_values<BlockQ8_0>(const std::byte* block, int at) {
  return mul(load_i8((const std::int8_t*)block + 2 + at), f16_at(block));
}
template <>
inline F block_values<BlockQ4_0>(const std::byte* block, int at) {
  return mul(sub(to_float(nibbles(block + 2, at)), set1(8)), f16_at(block));
}
template <>
inline F block_values<BlockQ4_1>(const std::byte* block, int at) {
  return add(mul(to_float(nibbles(block + 4, at)), f16_at(block)), f16_at(block + 2));
}
template <>
inline F block_values<BlockIq4Nl>(const std::byte* block, int at) {
  return mul(f16_at(block), Table(BlockIq4Nl::table).at(nibbles(block + 2, at)));
}
template <>
inline F block_values<BlockQ4_K>(const std::byte* block, int at) {
  const KScale k(block + 4, at / 32);
  const F scale = mul(f16_at(block), set1(float(k.scale))), minimum = mul(f16_at(block + 2), set1(float(k.minimum)));
  const I codes = bits_of(load_u8(block + 16 + at / 64 * 32 + at % 32), at / 32 % 2 * 4, 15);
  return sub(mul(scale, to_float(codes)), minimum);
}
template <>
inline F block_values<BlockQ6_K>(const std::byte* block, int at) {
  const int half = at / 128, quarter = at / 32 % 4;
  const I low = bits_of(load_u8(block + 64 * half + 32 * (quarter % 2) + at % 32), 4 * (quarter / 2), 15),
          high = bits_of(load_u8(block + 128 + 32 * half + at % 32), 2 * quarter, 3);
  const F scale = mul(f16_at(block + 208), set1(float(std::int8_t(block[192 + at / 16]))));
  return mul(scale, sub(to_float(joined(low, high, 4)), set1(32)));
}

template <class B>
struct BlockRows {
  static constexpr bool scaled = false;
  const std::byte* row[4];
  F get(int n, std::int64_t k) const {
    return block_values<B>(row[n] + k / B::elements * B::bytes, int(k % B::elements));
  }
};
