// A model's config in GGUF's keys: the way back of io/gguf_config.hpp.
#pragma once

#include "io/gguf_head.hpp"
#include "models/config.hpp"

namespace nibble {

struct GgufModel {
  std::vector<GgufEntry> metadata;  // general.architecture first; without tokenizer and file type
  bool interleaved = false;         // rows of q and k are stored in llama.cpp's rope order
  std::vector<float> rope_factors;  // of the tensor rope_freqs.weight; empty: there is none
};

// Errors: a feature that llama.cpp's architectures have no key for (sliding windows, unusual yarn constants).
Result<GgufModel> gguf_model(const ModelConfig& config, std::string_view name);

}  // namespace nibble
