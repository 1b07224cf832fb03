// Python's str seen from UTF-8: positions are code points, white space and case are Unicode's. Bytes that are not UTF-8
// count as one character each and pass through unchanged.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nibble::jinja {

constexpr char32_t not_utf8 = 0xFFFFFFFF;

struct Character {
  char32_t code;
  std::size_t bytes;
};
Character character_at(std::string_view text, std::size_t byte);
void append_utf8(std::string& out, char32_t code);

std::size_t length(std::string_view text);
// The byte where character `index` begins; text.size() if there are not so many.
std::size_t byte_of(std::string_view text, std::size_t index);

bool is_space(char32_t code);
bool is_lower(char32_t code);
bool is_upper(char32_t code);
bool is_cased(char32_t code);
bool is_printable(char32_t code);  // what repr() shows as itself
bool is_letter(char32_t code);
bool is_decimal(char32_t code);

enum class Side { left, right, both };
// Without white space, or without any of `characters`.
std::string_view strip(std::string_view text, Side side, std::optional<std::string_view> characters = {});

// Case letter by letter (and ß, which becomes SS); Python's few other multi-letter mappings are left out.
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);
std::string title(std::string_view text);

}  // namespace nibble::jinja
