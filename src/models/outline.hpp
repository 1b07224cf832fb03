// Sizes of architectures that Nibble does not run yet: enough to inspect and estimate them, from config.json alone.
#pragma once

#include <optional>

#include "models/checkpoint.hpp"
#include "models/modules.hpp"

namespace nibble {

struct Outline : ModelShape {
  std::string architecture, model_type;
  std::vector<ModuleSpec> modules;
  std::int64_t max_positions = 0;
  std::int64_t mlp_width = 0;         // of what one token passes through
  std::vector<std::int64_t> windows;  // per layer: tokens that it keeps keys and values of; 0 or empty: all
  std::int64_t cache_width = 0;       // values that a layer keeps of a token; 0: keys and values of all heads
  std::optional<DType> dtype;         // what config.json says the weights are stored in
  std::vector<std::string> notes;     // what is not in `modules`
};

// Of every architecture in models/architectures.cpp, also where its sizes stand in "text_config". A model_type that is
// not there is counted as a Llama of the sizes that it names, and a note says so. unsupported: it names none.
Result<Outline> read_outline(const Json& config, std::string_view place);
// The same with the weights' headers at hand: they say what there is, of any architecture.
Result<Outline> read_outline(const Json& config, const std::vector<CheckpointTensor>& tensors, std::string_view place);

// What a tensor's name says it is, of any architecture.
Role likely_role(const CheckpointTensor& tensor);

}  // namespace nibble
