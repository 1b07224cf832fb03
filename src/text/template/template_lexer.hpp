// Cuts template source into tokens as jinja2 does with trim_blocks and lstrip_blocks set, comments and raw resolved.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace nibble::jinja {

enum class TokenKind { text, print_begin, print_end, block_begin, block_end, name, string, integer, real, symbol, end };

struct Token {
  TokenKind kind;
  int line;
  std::string text;  // of strings the value, escapes resolved; of numbers without _
};

// Errors begin with "line N: ".
Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace nibble::jinja
