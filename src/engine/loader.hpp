// The walk from a list of modules to weights that compute. A rehearsal is the same walk through memory that only
// counts.
#pragma once

#include "engine/weights.hpp"
#include "models/transformer.hpp"
#include "nibble/memory.hpp"

namespace nibble {

// Where the seconds of a load went; what is in none of these is reading headers and small vectors, and taking memory.
struct LoadTimes {
  double opening = 0;     // files found, mapped, headers checked
  double converting = 0;  // weights that were not stored in the precision they are held in
  double packing = 0;     // arranging weights for the kernels
};

class Loader {
 public:
  // `pool` may be null where the backend's memory only counts; `threads` is what it would have.
  // `as_stored`: what kernels can use as it is stored is not converted.
  Loader(WeightSource& source, Backend& backend, ThreadPool* pool, int threads, const QuantizationConfig& config,
         const SkipPatterns& skip, DType unquantized_dtype, bool as_stored)
      : source_(source),
        backend_(backend),
        pool_(pool),
        threads_(threads),
        config_(config),
        skip_(skip),
        unquantized_dtype_(unquantized_dtype),
        as_stored_(as_stored) {}

  // Every module once, in the order of the forward pass. `progress` may be empty.
  Result<TransformerWeights> load(const ModelConfig& model, const std::function<void(double)>& progress);

  std::vector<Buffer> buffers;  // must outlive the weights
  BytesByPurpose mapped{};      // bytes of weights that are used where the file is mapped
  LoadTimes times;              // converting and packing
  bool rounds_again = false;    // a weight that was stored quantized became something else than fp32

 private:
  Result<void> place(const ModuleSpec& module, TransformerWeights& weights);
  Result<std::span<const float>> load_vector(const ModuleSpec& module);
  Result<std::unique_ptr<PreparedWeight>> load_matrix(const ModuleSpec& module);
  Result<std::unique_ptr<PreparedWeight>> use_in_place(const Weight& weight, Purpose purpose);
  Result<std::unique_ptr<PreparedWeight>> convert(const ModuleSpec& module, const StoredWeight& stored,
                                                  std::string_view format, Purpose purpose);
  Result<std::unique_ptr<PreparedWeight>> prepare(const Weight& weight, Purpose purpose);

  WeightSource& source_;
  Backend& backend_;
  ThreadPool* pool_;
  int threads_;
  const QuantizationConfig& config_;
  const SkipPatterns& skip_;
  DType unquantized_dtype_;
  bool as_stored_;
  HostAllocator staging_;
};

// Bytes in use by purpose on one device, with those that lie in mapped files.
MemoryReport report_of(const BytesByPurpose& own, const BytesByPurpose& mapped, int device = MemoryReport::host);

}  // namespace nibble
