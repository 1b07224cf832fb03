// From a checkpoint to a model that computes: every weight is used where it lies, or quantized into a buffer of its
// own.
#pragma once

#include <memory>

#include "engine/loader.hpp"
#include "engine/placement.hpp"
#include "engine/rehearsal.hpp"
#include "models/transformer.hpp"
#include "nibble/model.hpp"

namespace nibble {

class Tokenizer;

class LoadedModel {
 public:
  std::shared_ptr<Checkpoint> checkpoint;      // null for random weights
  std::shared_ptr<const Tokenizer> tokenizer;  // null until somebody asks tokenizer_of
  QuantizationConfig precision;                // resolved: never `stored`
  LoadOptions options;                         // as they were asked for
  DType kv_dtype = DType::bf16, kept = DType::bf16;
  std::unique_ptr<Backend> backend;
  std::vector<Buffer> buffers;  // outlive the weights that point into them
  std::unique_ptr<Transformer> transformer;
  BytesByPurpose mapped{};      // weights used where the file is mapped
  std::uint64_t load_peak = 0;  // bytes that were taken while loading, at the highest
  MemoryPlan planned;           // what runs were predicted to take, at the highest
  double load_seconds = 0;
  LoadTimes times;
  int threads = 1;

  MemoryReport memory() const;
  std::string held_as() const;         // what linear layers are: "nf4 double-quant", or blocks of a GGUF file ("Q4_1")
  std::string converted_from() const;  // the block type that linear layers had in a GGUF file ("Q4_1"), else empty
};

Result<void> check_threads(int threads);
Result<void> check_workload(std::int64_t context, std::int64_t batch);
// Loads `path` as options say.
Result<std::shared_ptr<LoadedModel>> load_model(const std::filesystem::path& path, const LoadOptions& options);
// The same shape with seeded random weights. `outliers`: share of hidden columns whose activations exceed the int8
// threshold.
Result<std::shared_ptr<LoadedModel>> load_random_model(const ModelConfig& config, const LoadOptions& options,
                                                       std::uint64_t seed, double outliers);

}  // namespace nibble
