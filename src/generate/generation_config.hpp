// What a model's generation_config.json says: where its texts end, and (default_sampling in nibble/generate.hpp) how
// its tokens are drawn.
#pragma once

#include "engine/loaded_model.hpp"

namespace nibble {

// Ids that end a text: eos_token_id of generation_config.json and config.json (one or a list), and the tokenizer's.
std::vector<std::int32_t> end_tokens(const LoadedModel& model, const Tokenizer* tokenizer);

}  // namespace nibble
