// One linear layer of a loaded model in another precision, for as long as this object lives; then the one that was
// there is back.
#pragma once

#include "base/thread_pool.hpp"
#include "engine/load.hpp"
#include "ops/quantization.hpp"

namespace nibble {

class HeldDifferently {
 public:
  // The layer's elements are read from the checkpoint. `model` must outlive the result. Errors: those of quantize().
  static Result<HeldDifferently> create(LoadedModel& model, const ModuleSpec& module,
                                        const QuantizationConfig& precision, ThreadPool& pool);
  HeldDifferently(HeldDifferently&&) noexcept = default;
  HeldDifferently& operator=(HeldDifferently&&) = delete;
  ~HeldDifferently();

  std::uint64_t bytes() const;  // of codes and scales

 private:
  HeldDifferently() = default;
  std::shared_ptr<Allocator> memory_;  // not the model's: what is held for a while is not part of it
  QuantizedWeight held_;
  std::unique_ptr<PreparedWeight> before_;
  Linear* slot_ = nullptr;
};

}  // namespace nibble
