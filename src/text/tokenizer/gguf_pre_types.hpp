// llama.cpp names pre-tokenizers in tokenizer.ggml.pre; this is what each name means.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/pre_tokenizer.hpp"

namespace nibble {

// In place of a regular expression: a split before and behind every digit.
inline constexpr std::string_view split_digits = "digits";

struct GgufPreType {
  std::vector<std::string> splits;  // regular expressions whose matches stand alone, one after the other
  bool nfc = false;                 // characters are composed first
  bool ignore_merges = false;
  bool adds_bos = false;  // where the file does not say
};

// Errors: unsupported, listing the names that are known.
Result<GgufPreType> gguf_pre_type(std::string_view name);
// A name that means this (adds_bos aside); empty: llama.cpp has none.
std::string_view gguf_pre_name(const GgufPreType& type);
Result<PreTokenizer> pre_tokenizer_of(const GgufPreType& type);

}  // namespace nibble
