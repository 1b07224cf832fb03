// Python's str seen from UTF-8: positions are code points, white space and case are Unicode's. Bytes that are not UTF-8
// count as one character each and pass through unchanged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::jinja {

struct Character {
  char32_t code;
  std::size_t bytes;
};
Character character_at(std::string_view text, std::size_t byte);  // code is U+FFFFFFFF for a byte that is not UTF-8
void append_utf8(std::string& out, char32_t code);

std::vector<std::string_view> characters(std::string_view text);
std::size_t length(std::string_view text);

bool is_space(char32_t code);
bool is_printable(char32_t code);                  // what repr() shows as itself
std::size_t leading_space(std::string_view text);  // bytes
// Bytes of text without its trailing white space.
std::size_t without_trailing_space(std::string_view text);

// Latin, Greek, Cyrillic and Armenian have simple case; other scripts pass unchanged.
char32_t upper(char32_t code);
char32_t lower(char32_t code);
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);
std::string title(std::string_view text);
bool is_letter(char32_t code);

std::string replace_all(std::string_view text, std::string_view from, std::string_view to, std::int64_t count);

}  // namespace nibble::jinja
