// Formats whose blocks carry their own scales: ggml's types, as they lie in a GGUF file. They are computed where they
// lie and never made here (src/io/ggml encodes them). One screen about their bytes: docs/formats/ggml-types.md.
//
// value(block, i): element i. offset(block, i), where a type has one: what is added in it to code times scale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/numeric.hpp"

namespace nibble {

inline float f16_in_block(const std::byte* at) {
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return f16_to_float(bits);
}
// Element i of 32 in 16 bytes: the low nibbles come first.
inline int nibble_in_block(const std::byte* packed, int i) { return int(packed[i % 16]) >> (i < 16 ? 0 : 4) & 15; }

struct BlockQ8_0 {
  static constexpr std::string_view name = "Q8_0";
  static constexpr int elements = 32, bytes = 34;
  static float value(const std::byte* block, int i) { return float(std::int8_t(block[2 + i])) * f16_in_block(block); }
};

struct BlockQ4_0 {
  static constexpr std::string_view name = "Q4_0";
  static constexpr int elements = 32, bytes = 18;
  static float value(const std::byte* block, int i) {
    return float(nibble_in_block(block + 2, i) - 8) * f16_in_block(block);
  }
};

struct BlockQ4_1 {
  static constexpr std::string_view name = "Q4_1";
  static constexpr int elements = 32, bytes = 20;
  static float offset(const std::byte* block, int) { return f16_in_block(block + 2); }
  static float value(const std::byte* block, int i) {
    return float(nibble_in_block(block + 4, i)) * f16_in_block(block) + offset(block, i);
  }
};

// Element i's fifth bit is bit i of the word.
inline int fifth_bit_in_block(const std::byte* word, int i) { return int(word[i / 8]) >> i % 8 & 1; }

struct BlockQ5_0 {
  static constexpr std::string_view name = "Q5_0";
  static constexpr int elements = 32, bytes = 22;
  static float value(const std::byte* block, int i) {
    return float((nibble_in_block(block + 6, i) | fifth_bit_in_block(block + 2, i) << 4) - 16) * f16_in_block(block);
  }
};

struct BlockQ5_1 {
  static constexpr std::string_view name = "Q5_1";
  static constexpr int elements = 32, bytes = 24;
  static float offset(const std::byte* block, int) { return f16_in_block(block + 2); }
  static float value(const std::byte* block, int i) {
    return float(nibble_in_block(block + 8, i) | fifth_bit_in_block(block + 4, i) << 4) * f16_in_block(block) +
           offset(block, i);
  }
};

struct BlockIq4Nl {
  static constexpr std::string_view name = "IQ4_NL";
  static constexpr int elements = 32, bytes = 18;
  static constexpr float table[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  static float value(const std::byte* block, int i) {
    return f16_in_block(block) * table[nibble_in_block(block + 2, i)];
  }
};

// The 6-bit scale and minimum of 32 elements: the first four of each are the low six bits of bytes 0..3 and 4..7, of
// the others bytes 8..11 have the low nibbles (minimum above scale) and the bits left free the high ones.
struct KScale {
  int scale, minimum;
  KScale(const std::byte* packed, int part) {
    const auto at = [=](int i) { return int(packed[i]); };
    scale = part < 4 ? at(part) & 63 : (at(part + 4) & 15) | at(part - 4) >> 6 << 4;
    minimum = part < 4 ? at(part + 4) & 63 : at(part + 4) >> 4 | at(part) >> 6 << 4;
  }
};

struct BlockQ4_K {
  static constexpr std::string_view name = "Q4_K";
  static constexpr int elements = 256, bytes = 144;
  static float offset(const std::byte* block, int i) {
    return -(f16_in_block(block + 2) * float(KScale(block + 4, i / 32).minimum));
  }
  static float value(const std::byte* block, int i) {
    const KScale k(block + 4, i / 32);
    const int code = int(block[16 + i / 64 * 32 + i % 32]) >> (i / 32 % 2 * 4) & 15;
    return f16_in_block(block) * float(k.scale) * float(code) + offset(block, i);
  }
};

struct BlockQ5_K {
  static constexpr std::string_view name = "Q5_K";
  static constexpr int elements = 256, bytes = 176;
  static float offset(const std::byte* block, int i) {
    return -(f16_in_block(block + 2) * float(KScale(block + 4, i / 32).minimum));
  }
  static float value(const std::byte* block, int i) {
    const KScale k(block + 4, i / 32);
    const int low = int(block[48 + i / 64 * 32 + i % 32]) >> (i / 32 % 2 * 4) & 15,
              high = int(block[16 + i % 32]) >> (i / 32) & 1;
    return f16_in_block(block) * float(k.scale) * float(low | high << 4) + offset(block, i);
  }
};

struct BlockQ6_K {
  static constexpr std::string_view name = "Q6_K";
  static constexpr int elements = 256, bytes = 210;
  static float value(const std::byte* block, int i) {
    const int half = i / 128, quarter = i / 32 % 4;
    const int low = int(block[64 * half + 32 * (quarter % 2) + i % 32]) >> 4 * (quarter / 2) & 15,
              high = int(block[128 + 32 * half + i % 32]) >> 2 * quarter & 3;
    return f16_in_block(block + 208) * float(std::int8_t(block[192 + i / 16])) * float((low | high << 4) - 32);
  }
};

}  // namespace nibble
