// What config.json says about rope, in either spelling.
#pragma once

#include "models/config.hpp"
#include "models/config_reader.hpp"

namespace nibble {

// Sets theta and scaling; `out.max_positions` is known. Two objects that contradict each other, and a type without the
// numbers it needs, are refused by name.
Result<void> read_rope(const ConfigReader& reader, ModelConfig& out);

}  // namespace nibble
