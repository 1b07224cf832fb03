// Writing a quantized copy in the layout that transformers and bitsandbytes read.
#pragma once

#include <filesystem>

#include "nibble/model.hpp"

namespace nibble {

struct QuantizeCheckpointOptions {
  QuantizationConfig precision = QuantizationConfig::nf4();
  int threads = 0;
  std::uint64_t shard_bytes = std::uint64_t(5) << 30;  // a new file starts before this is exceeded
  std::vector<std::string> ignore_config = {};
  Progress progress = {};
  std::function<bool()> stop = {};  // asked between tensors; true: cancelled, and nothing is written
};

struct QuantizeReport {
  std::uint64_t bytes_read = 0, bytes_written = 0;
  std::uint64_t peak_buffer_bytes = 0;  // the most that was held at once beside the mapped input
  std::size_t quantized_modules = 0, kept_modules = 0;
  double seconds = 0;
};

// Streams tensor by tensor. `out` appears only when complete; it must not exist or be empty.
Result<QuantizeReport> quantize_checkpoint(const std::filesystem::path& model, const std::filesystem::path& out,
                                           const QuantizeCheckpointOptions& options = {});

}  // namespace nibble
