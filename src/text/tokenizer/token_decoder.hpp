// Token texts back to text: a chain of steps over the list of tokens, as tokenizer.json writes it.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/tokenizer/split_pattern.hpp"

namespace nibble {

struct DecodeByteLevel {};
struct DecodeByteFallback {
  // What becomes of a run of byte tokens that is not valid as a whole: every byte is U+FFFD (tokenizers), or only those
  // that belong to no character (sentencepiece).
  bool salvage = false;
};
struct DecodeFuse {};
// SentencePiece's: the space put before the text goes again. all (remove_extra_whitespaces): every piece that begins
// with one loses it until there is text.
struct DecodeDropPrefix {
  bool all = false;
};
struct DecodeMetaspace {
  std::string replacement = "\xE2\x96\x81";
  bool drop_first = true;  // the metaspaces of the first token were not in the text
};
struct DecodeReplace {
  SplitPattern pattern;
  std::string content;
};
struct DecodeStrip {
  std::string content = " ";
  std::size_t start = 0, stop = 0;
};

class TokenDecoder {
 public:
  using Step = std::variant<DecodeByteLevel, DecodeByteFallback, DecodeFuse, DecodeMetaspace, DecodeReplace,
                            DecodeStrip, DecodeDropPrefix>;

  void add(Step step);
  // A tokenizer without a decoder joins its tokens with spaces.
  std::string decode(std::vector<std::string> tokens) const;
  // How many times as long as its tokens a text may be, at most.
  double growth() const;
  const std::vector<Step>& steps() const { return steps_; }

 private:
  std::vector<Step> steps_;
};

// What the steps do to one token; decoder_stream.cpp does the same to a text that grows.

// The byte of "<0x0A>", or -1.
int byte_of_fallback(std::string_view token);
// Appends the bytes that a token of GPT-2's alphabet means, or the token where it is of no such text.
void append_byte_level(std::string_view token, std::string& bytes);
// Each byte that begins no character is U+FFFD: finer than repair_utf8.
std::string salvage_utf8(std::string_view run);
void replace_in_token(std::string& token, const SplitPattern& pattern, std::string_view content);
void strip_token(const DecodeStrip& step, std::string& token);
// Whether it was the last token that loses anything.
bool drop_prefix(const DecodeDropPrefix& step, std::string& token);

}  // namespace nibble
