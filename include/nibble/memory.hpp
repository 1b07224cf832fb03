// Bytes by purpose: what estimates predict, what a loaded model reports, what tests compare.
#pragma once

#include <cstdint>

namespace nibble {

// All in bytes. `weights_total` is what a checkpoint of this precision occupies in memory; `mapped` of it lies in the
// page cache (the file itself, shared between processes and reclaimable), the rest is the process's own memory.
struct MemoryReport {
  std::uint64_t linear_weights = 0;      // codes of the linear layers
  std::uint64_t quantization_state = 0;  // absmax values, nested codes, tables
  std::uint64_t embeddings_and_head = 0;
  std::uint64_t norms = 0;    // with biases
  std::uint64_t buffers = 0;  // rope tables
  std::uint64_t kv_cache = 0;
  std::uint64_t activations = 0;  // with workspace
  std::uint64_t process = 0;      // the program and its tokenizer; 0 where a model alone is reported
  std::uint64_t mapped = 0;

  std::uint64_t weights_total() const { return linear_weights + quantization_state + embeddings_and_head + norms; }
  std::uint64_t total() const { return weights_total() + buffers + kv_cache + activations + process; }
};

}  // namespace nibble
