// The character classes that pre-tokenizers ask for, as the reference library sees them (unicode_ranges.inc).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

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

bool is_digit(std::uint32_t code_point);        // what the pre-tokenizer Digits cuts
bool is_punctuation(std::uint32_t code_point);  // what the pre-tokenizer Punctuation cuts
bool is_mark(std::uint32_t code_point);         // \p{M}
bool is_word(std::uint32_t code_point);         // \w: letters, marks, decimal digits, connectors, joiners

// Characters of \p{property} ("L", "Lu", "Nd"...) that PCRE2 may be too old to know, for use inside a character class.
std::string_view added_to_property(std::string_view property);

}  // namespace nibble
