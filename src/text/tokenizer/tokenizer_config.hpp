// What tokenizer_config.json (and special_tokens_map.json, added_tokens.json) beside a tokenizer says.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/json.hpp"
#include "text/tokenizer/added_tokens.hpp"

namespace nibble {

struct TokenizerConfig {
  std::optional<std::string> bos, eos, unk;
  std::optional<bool> add_bos, add_eos, add_prefix_space;
  std::optional<bool> legacy;        // false: a SentencePiece text gets its first space only where the input begins
  std::vector<std::string> special;  // every token that is named as one (bos, eos, unk, pad, additional)
  std::string tokenizer_class;
  std::vector<AddedToken> added;  // with ids
};

// A folder without these files gives an empty config.
Result<TokenizerConfig> read_tokenizer_config(const std::filesystem::path& folder);
Result<TokenizerConfig> parse_tokenizer_config(const Json& config);

// {"content": ..., "lstrip": ..., ...}; the id is read from "id" where `with_id`.
Result<AddedToken> parse_added_token(const Json& entry, bool with_id);

}  // namespace nibble
