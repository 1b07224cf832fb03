// UTF-8: text is repaired once at the door, so everything behind it may assume valid sequences.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nibble {

struct CodePoint {
  std::uint32_t value = 0;
  std::uint32_t bytes = 1;
};

inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";
// SentencePiece's sign for a space, U+2581.
inline constexpr std::string_view metaspace = "\xE2\x96\x81";

// Of valid text, at a character boundary before the end.
inline CodePoint decode_valid(const char* text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text);
  if (p[0] < 0x80) return {p[0], 1};
  if (p[0] < 0xE0) return {(p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu), 2};
  if (p[0] < 0xF0) return {(p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu), 3};
  return {(p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu), 4};
}

// Bytes of the well-formed character at the start of `text` (not empty), or 0 where it is ill-formed; `consumed` is
// then the length of the maximal ill-formed subpart (Unicode 15, section 3.9), which one U+FFFD replaces.
std::size_t well_formed_length(std::string_view text, std::size_t& consumed);

// Bytes at the end of `text` that begin a character but do not finish it: 0 to 3.
std::size_t incomplete_tail(std::string_view text);

bool is_valid_utf8(std::string_view text);
// U+FFFD for every maximal ill-formed subpart.
std::string repair_utf8(std::string_view text);

void append_utf8(std::string& out, std::uint32_t code_point);

}  // namespace nibble
