// The keys of tokenizer.ggml.* that are read in more than one place, each by its one reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "io/gguf.hpp"

namespace nibble {

// Nothing where the key is missing or no bool.
std::optional<bool> gguf_flag(const Gguf& file, std::string_view key);

// The id of one of `tokens` tokens. Nothing where the key is missing or names no token: some converters write -1 for
// "none", and llama.cpp passes over what is out of range, too.
std::optional<std::int32_t> gguf_token_id(const Gguf& file, std::string_view key, std::size_t tokens);

}  // namespace nibble
