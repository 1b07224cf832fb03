// What a model will cost before a byte of its weights is read: the loader run with an allocator that only counts.
#pragma once

#include "nibble/model.hpp"

namespace nibble {

struct EstimateOptions {
  std::vector<QuantizationConfig> precisions =
      {};  // empty: fp32, fp16, bf16, int8, nf4, nf4 double-quant, fp4, fp4 double-quant
  std::int64_t context = 4096;
  std::int64_t batch = 1;
  std::vector<std::string> ignore_config = {};
};

struct PrecisionEstimate {
  QuantizationConfig precision;
  MemoryReport bytes;
};

struct Estimate {
  std::string architecture;
  std::uint64_t parameters = 0;
  std::int64_t context = 0, batch = 0;
  std::vector<PrecisionEstimate> precisions;
};

// A folder, a config.json alone, or a .gguf file. Architectures that Nibble does not run are estimated from their
// tensors' headers.
Result<Estimate> estimate(const std::filesystem::path& model, const EstimateOptions& options = {});

// The rule of thumb: parameters * bits / 8, in bytes. What it leaves out: scales, embeddings kept in 16 bits, KV cache,
// activations.
std::uint64_t estimate(std::uint64_t parameters, Precision precision);

}  // namespace nibble
