// iq1, iq2, iq3: codes are indices of a grid of 8 or 4 magnitudes, with signs beside them; 256 elements share an fp16
// scale, and every 16 or 32 a small odd multiple of it.
//
// Values are scale * magnitude, then the sign: the order that keeps ggml's bits.
#include <bit>

#include "io/ggml/ggml_blocks.hpp"
#include "io/ggml/ggml_tables.hpp"

namespace nibble::ggml {
namespace {

// Eight signs in seven bits: the eighth makes the number of ones even.
unsigned even_signs(unsigned seven) { return seven | unsigned(std::popcount(seven) & 1) << 7; }

// Elements of one grid entry, 16 / Bits of them; a set bit of `signs` makes its element negative.
template <int Bits, class Levels>
float* decode_entry(unsigned entry, const Levels& levels, float scale, unsigned signs, float* out) {
  for (int j = 0; j < 16 / Bits; ++j) {
    const float magnitude = scale * float(levels[entry >> Bits * j & ((1u << Bits) - 1)]);
    *out++ = std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) ^ (signs >> j & 1) << 31);
  }
  return out;
}

float half_steps(float scale, unsigned code, float step) { return scale * (0.5f + float(code)) * step; }
float odd_steps(float scale, unsigned code) { return scale * float(2 * code + 1); }
unsigned byte_at(const std::byte* bytes, int i) { return unsigned(bytes[i]); }

}  // namespace

// d; then per 32: four 8-bit indices, and a word of four 7-bit signs below a 4-bit scale.
void IQ2_XXS::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<IQ2_XXS>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block);
    for (const std::byte* part = block + 2; part != block + bytes; part += 8) {
      const auto word = read<std::uint32_t>(part + 4);
      const float scale = half_steps(d, word >> 28, 0.25f);
      for (int l = 0; l < 4; ++l)
        values =
            decode_entry<2>(iq2_xxs_grid[byte_at(part, l)], iq2_levels, scale, even_signs(word >> 7 * l & 127), values);
    }
  });
}

// d; 32 words of a 9-bit index and 7-bit signs; 16 scales of 4 bits, each for 16 elements.
void IQ2_XS::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<IQ2_XS>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block);
    for (int l = 0; l < 32; ++l) {
      const unsigned word = read<std::uint16_t>(block + 2 + 2 * l), scales = byte_at(block, 66 + l / 4);
      const float scale = half_steps(d, scales >> 4 * (l / 2 % 2) & 15, 0.25f);
      values = decode_entry<2>(iq2_xs_grid[word & 511], iq2_levels, scale, even_signs(word >> 9), values);
    }
  });
}

// d; low 8 bits of 32 indices; 32 bytes of signs; high 2 bits of indices; 16 scales of 4 bits.
void IQ2_S::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<IQ2_S>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block);
    for (int l = 0; l < 32; ++l) {
      const unsigned high = byte_at(block, 66 + l / 4) >> 2 * (l % 4) & 3, scales = byte_at(block, 74 + l / 4);
      const float scale = half_steps(d, scales >> 4 * (l / 2 % 2) & 15, 0.25f);
      values = decode_entry<2>(iq2_s_grid[byte_at(block, 2 + l) | high << 8], iq2_levels, scale, byte_at(block, 34 + l),
                               values);
    }
  });
}

// d; 64 indices of 8 bits, each for 4 elements; per 32 a word of four 7-bit signs below a 4-bit scale.
void IQ3_XXS::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<IQ3_XXS>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block);
    for (int l = 0; l < 32; ++l) {
      const auto word = read<std::uint32_t>(block + 66 + 4 * (l / 4));
      const float scale = half_steps(d, word >> 28, 0.5f);
      const unsigned signs = even_signs(word >> 7 * (l % 4) & 127);
      values = decode_entry<4>(iq3_xxs_grid[byte_at(block, 2 + 2 * l)], iq3_xxs_levels, scale, signs, values);
      values = decode_entry<4>(iq3_xxs_grid[byte_at(block, 3 + 2 * l)], iq3_xxs_levels, scale, signs >> 4, values);
    }
  });
}

// d; low 8 bits of 64 indices; their ninth bits; 32 bytes of signs; 8 scales of 4 bits.
void IQ3_S::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<IQ3_S>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block);
    for (int i = 0; i < 64; ++i) {
      const unsigned ninth = byte_at(block, 66 + i / 8) >> i % 8 & 1, signs = byte_at(block, 74 + i / 2);
      const float scale = odd_steps(d, byte_at(block, 106 + i / 16) >> 4 * (i / 8 % 2) & 15);
      values = decode_entry<4>(iq3_s_grid[byte_at(block, 2 + i) | ninth << 8], iq3_s_levels, scale,
                               signs >> 4 * (i % 2), values);
    }
  });
}

namespace {

// Codes -1, 0, 1, all moved by an eighth of the scale up or down.
float* decode_shifted(unsigned entry, float scale, bool down, float* out) {
  const float shift = down ? -0.125f : 0.125f;
  for (int j = 0; j < 8; ++j) *out++ = scale * (float(iq1_levels[entry >> 2 * j & 3]) + shift);
  return out;
}

}  // namespace

// d; low 8 bits of 32 indices; per 32 elements a word: four times 3 high bits, a 3-bit scale, the shift's sign.
void IQ1_S::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<IQ1_S>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block);
    for (int l = 0; l < 32; ++l) {
      const unsigned word = read<std::uint16_t>(block + 34 + 2 * (l / 4)), high = word >> 3 * (l % 4) & 7;
      values =
          decode_shifted(iq1_grid[byte_at(block, 2 + l) | high << 8], odd_steps(d, word >> 12 & 7), word >> 15, values);
    }
  });
}

// Low 8 bits of 32 indices; for each a nibble of 3 high bits and the shift's sign; four words, each with four 3-bit
// scales for 16 elements below a quarter of d's bits.
void IQ1_M::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<IQ1_M>(from, count, out, [](const std::byte* block, float* values) {
    unsigned words[4], d_bits = 0;
    for (int i = 0; i < 4; ++i) {
      words[i] = read<std::uint16_t>(block + 48 + 2 * i);
      d_bits |= words[i] >> 12 << 4 * i;
    }
    const float d = f16_to_float(std::uint16_t(d_bits));
    for (int l = 0; l < 32; ++l) {
      const unsigned nibble = byte_at(block, 32 + l / 2) >> 4 * (l % 2) & 15;
      const float scale = odd_steps(d, words[l / 8] >> 3 * (l / 2 % 4) & 7);
      values = decode_shifted(iq1_grid[byte_at(block, l) | (nibble & 7) << 8], scale, nibble >> 3, values);
    }
  });
}

}  // namespace nibble::ggml
