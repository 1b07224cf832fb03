// The modules of a model, by name, shape and role: the one list that the loader, the estimate, `inspect` and the writer
// walk.
#pragma once

#include <string>
#include <vector>

#include "models/config.hpp"

namespace nibble {

enum class Role { embedding, linear, head, norm, bias, buffer };

struct ModuleSpec {
  std::string name;  // of the tensor: "model.layers.0.mlp.up_proj.weight"
  Role role = Role::linear;
  std::int64_t rows = 0, cols = 0;  // cols is 0 for vectors

  std::uint64_t elements() const { return std::uint64_t(rows) * std::uint64_t(cols ? cols : 1); }
  // "model.layers.0.mlp.up_proj": what skip patterns are matched against.
  std::string module() const { return name.substr(0, name.rfind('.')); }
};

// In the order in which a forward pass meets them. The head is listed only if it is not tied to the embedding.
std::vector<ModuleSpec> list_modules(const ModelConfig& config);

}  // namespace nibble
