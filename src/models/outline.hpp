// Sizes of architectures that Nibble does not run yet: enough to inspect and estimate them, from config.json alone.
#pragma once

#include "models/checkpoint.hpp"
#include "models/modules.hpp"

namespace nibble {

struct Outline : ModelShape {
  std::string architecture;
  std::vector<ModuleSpec> modules;
  std::int64_t max_positions = 0;
  std::int64_t mlp_width = 0;      // of what one token passes through
  std::vector<std::string> notes;  // what is not in `modules`
};

// Llama's relatives, Gemma 1 to 3 (text), Phi-3, and mixtures of experts (Mixtral, Qwen2/3-MoE, gpt-oss).
// unsupported: names the architecture and what can be estimated.
Result<Outline> read_outline(const Json& config, std::string_view place);
// The same with the weights' headers at hand: they say what there is, of any architecture.
Result<Outline> read_outline(const Json& config, const std::vector<CheckpointTensor>& tensors, std::string_view place);

}  // namespace nibble
