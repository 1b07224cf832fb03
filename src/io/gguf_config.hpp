// GGUF metadata in config.json's words, so that one reader of configs serves both containers.
#pragma once

#include "io/gguf.hpp"
#include "io/json.hpp"

namespace nibble {

struct GgufConfig {
  Json config;
  bool interleaved = false;  // q and k rows are in llama.cpp's rope order: the two halves of a head alternate
  std::int64_t heads = 0, kv_heads = 0;  // 1 to 2^20 where interleaved
};

// Keys under the architecture's prefix that Nibble does not understand go into the config under their own names, where
// the reader refuses them by name. vocab_size, dtype and biases are not metadata: the caller adds them from the
// tensors. Errors: a key that every file of the architecture has is missing, a type is wrong, two keys contradict each
// other.
Result<GgufConfig> read_gguf_config(const Gguf& file);

}  // namespace nibble
