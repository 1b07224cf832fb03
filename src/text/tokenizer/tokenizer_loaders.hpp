// The sources a tokenizer can come from. The forms that take bytes are what the fuzz targets call.
#pragma once

#include <span>
#include <string_view>

#include "io/gguf.hpp"
#include "io/json.hpp"
#include "text/tokenizer/model_tokenizer.hpp"
#include "text/tokenizer/tokenizer_config.hpp"

namespace nibble {

using TokenizerResult = Result<std::unique_ptr<Tokenizer>>;

TokenizerResult load_tokenizer_json(std::string_view text, const TokenizerConfig& config);
TokenizerResult load_vocab_merges(std::string_view vocab, std::string_view merges, const TokenizerConfig& config);
TokenizerResult load_sentencepiece(std::span<const std::byte> bytes, const TokenizerConfig& config);

}  // namespace nibble
