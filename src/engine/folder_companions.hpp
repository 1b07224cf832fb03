// What stands beside the weights in a Hugging Face folder.
#pragma once

#include "models/checkpoint.hpp"
#include "models/config.hpp"
#include "nibble/precision.hpp"

namespace nibble {

// config.json for weights held like this. `skipped`: modules that were left out, lm_head with them. `storage`: the
// dtype of 4-bit codes. Errors: frequencies of a GGUF file that no config.json expresses.
Result<Json> folder_config(const Checkpoint& checkpoint, const ModelConfig& config, const QuantizationConfig& precision,
                           const std::vector<std::string>& skipped, DType storage);

// Tokenizer, template, generation defaults, licence: copied from a folder, made from a GGUF file.
Result<void> write_companions(const Checkpoint& checkpoint, const std::filesystem::path& to);

// Writes it whole: through another name, synced.
Result<void> write_whole(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace nibble
