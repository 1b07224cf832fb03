#include "models/activations.hpp"

#include <algorithm>

namespace nibble {

std::size_t Activations::buffer_of(Slot slot) {
  switch (slot) {
    case Slot::embedded:
    case Slot::block_input:
    case Slot::after_attention:
    case Slot::block_output:
      return 0;
    case Slot::attention_input:
    case Slot::mlp_input:
    case Slot::head_input:
      return 1;
    case Slot::query_projected:
    case Slot::query_normed:
    case Slot::query:
      return 2;
    case Slot::key_projected:
    case Slot::key_normed:
    case Slot::key:
      return 3;
    case Slot::value:
      return 4;
    case Slot::attended:
      return 5;
    case Slot::gate:
    case Slot::mlp_product:
      return 6;
    case Slot::up:
      return 7;
    case Slot::logits:
      return 8;
  }
  NIBBLE_ASSERT(false, "every slot has a buffer");
}

Activations::Activations(const ModelShape& model) {
  for (std::size_t slot = 0; slot < slot_count; ++slot) columns_[slot] = columns_of(Slot(slot), model);
}

Result<void> Activations::reserve(Backend& backend, const PassShape& shape) {
  dtype_ = backend.activation_dtype();
  std::array<std::size_t, buffer_count> bytes{};
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    const std::int64_t rows = Slot(slot) == Slot::logits ? shape.logits : shape.tokens;
    std::size_t& most = bytes[buffer_of(Slot(slot))];
    most = std::max(most, std::size_t(rows * columns_[slot]) * size_of(dtype_));
  }
  for (std::size_t i = 0; i < buffer_count; ++i)
    NIBBLE_CHECK(buffers_[i].grow(backend.memory(), bytes[i], Purpose::activations));
  return {};
}

TensorView Activations::view(Slot slot, std::int64_t rows) const {
  return {buffers_[buffer_of(slot)].data(), dtype_, rows, columns_[std::size_t(slot)]};
}

}  // namespace nibble
