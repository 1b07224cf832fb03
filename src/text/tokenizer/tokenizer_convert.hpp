// A tokenizer from one container to the other. Whatever is written is read again and compared on a sample of text with
// what it was made from, so a tokenizer that the other container cannot express is an error, never another tokenizer.
#pragma once

#include <filesystem>

#include "io/gguf_head.hpp"
#include "io/json.hpp"

namespace nibble {

// The tokenizer of a folder as tokenizer.ggml.* keys, one token for each of the `rows` of the embedding. Errors:
// unsupported, where GGUF has no name for how it splits text.
Result<std::vector<GgufEntry>> tokenizer_to_gguf(const std::filesystem::path& folder, std::int64_t rows);

// tokenizer.json and tokenizer_config.json of a GGUF file; the chat template is the caller's to add.
struct TokenizerFiles {
  std::string tokenizer;  // text of tokenizer.json
  Json config;
};
Result<TokenizerFiles> tokenizer_from_gguf(const Gguf& file);

}  // namespace nibble
