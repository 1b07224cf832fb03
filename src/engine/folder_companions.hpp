// What stands beside the weights in a Hugging Face folder.
#pragma once

#include "io/mapped_file.hpp"
#include "models/checkpoint.hpp"
#include "models/config.hpp"
#include "nibble/precision.hpp"

namespace nibble {

// config.json for weights held like this. `skipped`: modules that were left out, lm_head with them. `storage`: the
// dtype of 4-bit codes. Errors: frequencies of a GGUF file that no config.json expresses.
Result<Json> folder_config(const Checkpoint& checkpoint, const ModelConfig& config, const QuantizationConfig& precision,
                           const std::vector<std::string>& skipped, DType storage);

// A small file beside the weights, known before they are made.
struct Companion {
  std::string name;
  std::string text = {};                          // what it holds, if it was made
  std::shared_ptr<const MappedFile> copied = {};  // else what it is a copy of
  std::filesystem::perms most = std::filesystem::perms::all;
  bool decides = true;  // what a model reads, and no licence or model card
  std::string sha256 = {};
  std::span<const std::byte> bytes() const;
};

// Tokenizer, template, generation defaults, licence, card: copied from a folder, made from a GGUF file. Only what lies
// in the model's folder (of a snapshot of the hub: in its cache) is copied; a link that leads elsewhere is refused.
// `left` gets the names of files that no copy needs.
Result<std::vector<Companion>> companions_of(const Checkpoint& checkpoint, std::vector<std::string>& left);
// io_failure: a file that is copied has changed since.
Result<void> write_companions(const std::vector<Companion>& companions, const std::filesystem::path& to);
// Whether a copy would have such a file, and a model would read it.
bool decides_beside_weights(std::string_view name);

// Writes it whole: through another name, synced.
Result<void> write_whole(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace nibble
