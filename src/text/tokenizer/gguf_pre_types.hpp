// llama.cpp names pre-tokenizers in tokenizer.ggml.pre; this is what each name means.
#pragma once

#include "text/tokenizer/normalizer.hpp"
#include "text/tokenizer/pre_tokenizer.hpp"

namespace nibble {

struct GgufPreType {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  bool ignore_merges = false;
  bool adds_bos = false;  // where the file does not say
};

Result<GgufPreType> gguf_pre_type(std::string_view name);

}  // namespace nibble
