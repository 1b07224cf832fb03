// A model's config in GGUF's metadata, both ways: read in config.json's words, so that one reader of configs serves
// both containers, and written from a model that runs.
#pragma once

#include "io/gguf_head.hpp"
#include "models/config.hpp"

namespace nibble {

class Checkpoint;

struct GgufConfig {
  Json config;
  bool rope_order = false;                             // rows of q and k stand as gguf_rows.hpp says
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;  // of architectures that run: heads are 1 to 2^20
};

// Keys under the architecture's prefix that Nibble does not understand go into the config under their own names, where
// the reader refuses them by name. vocab_size, dtype and biases are not metadata: the caller adds them from the
// tensors. Errors: a key that every file of the architecture has is missing, a type is wrong, two keys contradict each
// other.
Result<GgufConfig> read_gguf_config(const Gguf& file);

// The config.json that transformers reads as this model: nothing that is null, and rope's scaling in both spellings.
// Errors: frequencies that no config.json expresses.
Result<Json> config_json_of_gguf(const Checkpoint& checkpoint, const ModelConfig& config);

// Keys of a file of this model, general.architecture first; without those of tokenizer and file type. Errors: a feature
// that llama.cpp's architectures have no key for (sliding windows, unusual yarn constants).
Result<std::vector<GgufEntry>> write_gguf_config(const ModelConfig& config, std::string_view name);

}  // namespace nibble
