// GPT-2's alphabet: every byte has a printable character, so that a vocabulary file is text ("Ġthe" is " the").
// Printable Latin-1 bytes stand for themselves, the other 68 are U+0100 onwards in order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace nibble {

// The UTF-8 of the character that stands for each byte.
const std::array<std::string, 256>& byte_alphabet();
// The byte that a character stands for, or -1.
int byte_of_character(std::uint32_t code_point);

std::string to_byte_alphabet(std::string_view bytes);
// Back to bytes; false (and `out` untouched) where a character is not in the alphabet.
bool from_byte_alphabet(std::string_view token, std::string& out);

}  // namespace nibble
