// From a checkpoint to a model that computes: every weight is used where it lies, or quantized into a buffer of its
// own.
#pragma once

#include <array>
#include <memory>

#include "cpu/cpu_backend.hpp"
#include "engine/placement.hpp"
#include "models/transformer.hpp"
#include "nibble/model.hpp"

namespace nibble {

class Tokenizer;

// Where the seconds of a load went; what is in none of these is reading headers and small vectors, and taking memory.
struct LoadTimes {
  double opening = 0;     // files found, mapped, headers checked
  double converting = 0;  // weights that were not stored in the precision they are held in
  double packing = 0;     // arranging weights for the kernels
};

class LoadedModel {
 public:
  std::shared_ptr<Checkpoint> checkpoint;      // null for random weights
  std::shared_ptr<const Tokenizer> tokenizer;  // null until somebody asks tokenizer_of
  QuantizationConfig precision;                // resolved: never `stored`
  DType kv_dtype = DType::bf16;
  std::unique_ptr<Backend> backend;
  std::vector<Buffer> buffers;  // outlive the weights that point into them
  std::unique_ptr<Transformer> transformer;
  std::array<std::uint64_t, purpose_count> mapped{};  // weights used where the file is mapped
  double load_seconds = 0;
  LoadTimes times;
  int threads = 1;

  MemoryReport memory() const;
  std::string held_as() const;         // what linear layers are: "nf4 double-quant", or blocks of a GGUF file ("Q4_1")
  std::string converted_from() const;  // the block type that linear layers had in a GGUF file ("Q4_1"), else empty
};

Result<void> check_threads(int threads);
// Loads `path` as options say.
Result<std::shared_ptr<LoadedModel>> load_model(const std::filesystem::path& path, const LoadOptions& options);
// The same shape with seeded random weights. `outliers`: share of hidden columns whose activations exceed the int8
// threshold.
Result<std::shared_ptr<LoadedModel>> load_random_model(const ModelConfig& config, const LoadOptions& options,
                                                       std::uint64_t seed, double outliers);
// Bytes that a load would take, without reading or allocating: the same walk with an allocator that counts.
Result<MemoryReport> measure_load(const ModelConfig& config, const QuantizationConfig& precision, DType stored,
                                  std::int64_t context, std::int64_t batch, std::int64_t pass_tokens);

}  // namespace nibble
