// One linear layer of a loaded model in another precision, for as long as this object lives; then the one that was
// there is back.
#pragma once

#include "base/thread_pool.hpp"
#include "engine/load.hpp"
#include "ops/quantization.hpp"

namespace nibble {

class TrialPrecision {
 public:
  // The layer's elements are read from the checkpoint. `model` must outlive the result. Errors: those of quantize().
  static Result<TrialPrecision> create(LoadedModel& model, const ModuleSpec& module,
                                       const QuantizationConfig& precision, ThreadPool& pool);
  TrialPrecision(TrialPrecision&&) noexcept = default;
  TrialPrecision& operator=(TrialPrecision&&) = delete;
  ~TrialPrecision();

  std::uint64_t bytes() const;  // of codes and scales

 private:
  TrialPrecision() = default;
  std::shared_ptr<Allocator> memory_;  // not the model's: a trial is no part of it
  QuantizedWeight weight_;
  std::unique_ptr<PreparedWeight> original_;
  Linear* slot_ = nullptr;
};

}  // namespace nibble
