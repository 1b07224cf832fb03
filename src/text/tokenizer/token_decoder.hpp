// Token texts back to text: a chain of steps over the list of tokens, as tokenizer.json writes it.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/tokenizer/split_pattern.hpp"

namespace nibble {

struct DecodeByteLevel {};
struct DecodeByteFallback {};
struct DecodeFuse {};
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
  using Step =
      std::variant<DecodeByteLevel, DecodeByteFallback, DecodeFuse, DecodeMetaspace, DecodeReplace, DecodeStrip>;

  void add(Step step);
  // A tokenizer without a decoder joins its tokens with spaces.
  std::string decode(std::vector<std::string> tokens) const;

 private:
  std::vector<Step> steps_;
};

// The byte of "<0x0A>", or -1.
int byte_of_fallback(std::string_view token);

}  // namespace nibble
