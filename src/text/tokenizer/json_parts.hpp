// The components of tokenizer.json, each from its own object; an unknown type or setting is an error by name.
#pragma once

#include "io/json.hpp"
#include "text/tokenizer/normalizer.hpp"
#include "text/tokenizer/pre_tokenizer.hpp"
#include "text/tokenizer/token_decoder.hpp"

namespace nibble {

Result<void> add_normalizer(const Json& entry, Normalizer& out, int depth = 0);
Result<void> add_pre_tokenizer(const Json& entry, PreTokenizer& out, int depth = 0);
Result<void> add_decoder(const Json& entry, TokenDecoder& out, int depth = 0);

// Getters that never throw.
std::string json_text(const Json& object, const char* key, std::string otherwise = {});
bool json_flag(const Json& object, const char* key, bool otherwise);

}  // namespace nibble
