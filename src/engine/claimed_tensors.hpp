// Every tensor of a checkpoint holds something that the model computes with, or is known to hold nothing of the kind.
#pragma once

#include "models/checkpoint.hpp"
#include "models/config.hpp"

namespace nibble {

// Names of the tensors that the model does without: buffers of rope and positions and layers beyond the last, which
// transformers passes over as well, a head that equals the embedding, and what matches one of `ignored` (regular
// expressions). Any other that no module claims would change the answer: unsupported, by its name.
Result<std::vector<std::string>> unclaimed_tensors(const Checkpoint& checkpoint, const ModelConfig& config,
                                                   const std::vector<std::string>& ignored);

}  // namespace nibble
