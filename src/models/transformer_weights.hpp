// The weights of a model as a backend likes them, by part.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "models/modules.hpp"
#include "ops/backend.hpp"

namespace nibble {

struct Linear {
  std::unique_ptr<PreparedWeight> weight;
  const float* bias = nullptr;
};

struct LayerWeights {
  Linear& linear(Part part) { return linears[std::size_t(part)]; }
  const Linear& linear(Part part) const { return linears[std::size_t(part)]; }
  std::span<const float>& gain(Part part) { return gains[std::size_t(part)]; }
  std::span<const float> gain(Part part) const { return gains[std::size_t(part)]; }

  std::array<Linear, part_count> linears;                // without a weight where the block has no such part
  std::array<std::span<const float>, part_count> gains;  // of norms
};

struct TransformerWeights {
  std::unique_ptr<PreparedWeight> embedding;
  std::unique_ptr<PreparedWeight> head;  // null: tied, the embedding is used
  std::span<const float> norm;
  std::vector<LayerWeights> layers;

  // Of a module whose role is linear, or of its bias. Experts have no place yet.
  Linear& linear(const ModuleSpec& module) {
    NIBBLE_ASSERT(module.layer >= 0 && module.expert < 0, "a linear layer of a block, and of no expert");
    return layers[std::size_t(module.layer)].linear(module.part);
  }
  // Of a norm.
  std::span<const float>& gain(const ModuleSpec& module) {
    return module.part == Part::final_norm ? norm : layers[std::size_t(module.layer)].gain(module.part);
  }
};

}  // namespace nibble
