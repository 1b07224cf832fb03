// tokenizer.json in parts: what is long is read as it comes, the rest as trees.
#pragma once

#include "io/json.hpp"
#include "text/tokenizer/bpe_json.hpp"

namespace nibble {

struct TokenizerFile {
  Json parts = Json::object();  // normalizer, pre_tokenizer, ...
  Json model = Json::object();  // without vocab and merges
  Vocabulary vocabulary;
  MergeList merges;  // most point into the text that was read
  bool has_model = false, has_vocabulary = false;

  Json part(const char* key) const { return parts.contains(key) ? parts[key] : Json(); }
};

// Errors: not UTF-8, not JSON, no model.
Result<TokenizerFile> read_tokenizer_json(std::string_view text);

}  // namespace nibble
