// The memory of a pass's activations, and which slots share it.
#pragma once

#include <array>

#include "models/block.hpp"
#include "ops/backend.hpp"

namespace nibble {

// Inference keeps no activation longer than the next step needs it: norms of queries, rope, the gate and residuals work
// in place, and all layers use the same memory.
class Activations {
 public:
  explicit Activations(const ModelShape& model);
  // At least for passes of such a shape. What the buffers held is gone.
  Result<void> reserve(Backend& backend, const PassShape& shape);
  TensorView view(Slot slot, std::int64_t rows) const;

 private:
  std::array<std::int64_t, slot_count> columns_{};
  DType dtype_ = DType::f32;
  static constexpr std::size_t buffer_count = 9;
  static std::size_t buffer_of(Slot slot);
  std::array<Buffer, buffer_count> buffers_;
};

}  // namespace nibble
