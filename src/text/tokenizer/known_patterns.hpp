// Hand-written scanners for the patterns of GPT-2, Llama 3 and Qwen 2. Both patterns match at every position, so a
// scanner is a function from a position to the end of the match that begins there.
#pragma once

#include <optional>
#include <string_view>

namespace nibble {

enum class KnownPattern {
  gpt2,    // 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
  llama3,  // cl100k's form: digits in groups of up to three
  qwen2,   // the same, single digits
};

std::string_view pattern_text(KnownPattern pattern);
std::optional<KnownPattern> known_pattern(std::string_view text);

// Bytes of the match at the start of `text`, which is valid UTF-8 and not empty.
std::size_t match_gpt2(std::string_view text);
std::size_t match_cl100k(std::string_view text, int digits);

}  // namespace nibble
