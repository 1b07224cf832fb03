// The components of tokenizer.json, each from its own object; an unknown type or setting is an error by name.
#pragma once

#include "io/json.hpp"
#include "text/tokenizer/pipeline.hpp"
#include "text/tokenizer/tokenizer_config.hpp"

namespace nibble {

Result<void> add_normalizer(const Json& entry, Normalizer& out);
Result<void> add_pre_tokenizer(const Json& entry, PreTokenizer& out);
Result<void> add_decoder(const Json& entry, TokenDecoder& out);

// A member that is missing or null is `otherwise`; one of another type is an error that names it.
Result<std::string> json_text(const Json& object, const char* key, std::string otherwise = {});
Result<bool> json_flag(const Json& object, const char* key, bool otherwise);

// Added tokens, special tokens, BOS and EOS as tokenizer_config.json says them, on top of what the tokenizer has.
void apply_config(const TokenizerConfig& config, PipelineParts& parts);

}  // namespace nibble
