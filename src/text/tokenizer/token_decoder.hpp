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
  // The beginning of a text, or all of it as streaming has shown it (`ended`): whole characters of a run of byte tokens
  // count at once, and unless ended, a character that lacks bytes at the end is left out.
  std::string decode_stream(std::vector<std::string> tokens, bool ended) const;

 private:
  std::vector<Step> steps_;
};

// The byte of "<0x0A>", or -1.
int byte_of_fallback(std::string_view token);

}  // namespace nibble
