// The character classes that pre-tokenizers ask for (Unicode general categories, from utf8proc).
#pragma once

#include <array>
#include <cstdint>

namespace nibble {

enum class CharClass : std::uint8_t { other, letter, number, space };

CharClass classify_wide(std::uint32_t code_point);  // 0x80 and above

inline constexpr std::array<CharClass, 128> ascii_classes = [] {
  std::array<CharClass, 128> classes{};
  for (int c = 0; c < 128; ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
      classes[c] = CharClass::letter;
    else if (c >= '0' && c <= '9')
      classes[c] = CharClass::number;
    else if (c == ' ' || (c >= 9 && c <= 13))
      classes[c] = CharClass::space;
  }
  return classes;
}();

// \p{L}, \p{N}, White_Space, or other.
inline CharClass classify(std::uint32_t code_point) {
  return code_point < 128 ? ascii_classes[code_point] : classify_wide(code_point);
}

bool is_punctuation(std::uint32_t code_point);  // ASCII punctuation and symbols, or \p{P}
bool is_mark(std::uint32_t code_point);         // \p{M}
bool is_word(std::uint32_t code_point);         // \w: letters, marks, decimal digits, connectors, joiners

}  // namespace nibble
