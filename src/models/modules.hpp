// The modules of a model, by part, name and shape: the one list that the loader, the estimate, `inspect`, the speed's
// arithmetic and the writers walk. What a module is for is asked of its `part`, never of its name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/model_shape.hpp"

namespace nibble {

enum class Role { embedding, linear, head, norm, bias, buffer };

// Which place of a model or of a block a module fills, whatever a checkpoint calls it. A bias has the part of its
// weight. Parts that no architecture which runs has are counted only.
enum class Part : std::uint8_t {
  embedding,
  positions,
  embedding_norm,
  input_norm,
  q_down,  // latent attention: hidden to a small width and back to all heads
  q_down_norm,
  kv_down,
  kv_down_norm,
  kv_up,
  q,
  k,
  v,
  qkv,  // q, k and v in one weight
  q_norm,
  k_norm,
  sinks,
  o,
  post_attention_norm,
  pre_feed_forward_norm,
  router,
  gate,  // of the MLP, or of one of its experts; up and down likewise
  up,
  gate_up,  // in one weight
  down,
  experts_gate_up,  // of all experts together; down likewise
  experts_down,
  shared_gate,  // of the expert that sees every token; up and down likewise
  shared_up,
  shared_down,
  shared_router,  // how much that expert counts
  post_feed_forward_norm,
  final_norm,
  head,
  other,  // a tensor of an architecture that Nibble does not know; it has no name here
};
inline constexpr std::size_t part_count = std::size_t(Part::head) + 1;

// "self_attn.q_proj" inside its layer, "model.norm" outside (part_names.cpp).
std::string_view name_of(Part part);

struct ModuleSpec {
  std::string name;  // of the tensor: "model.layers.0.mlp.up_proj.weight"
  Role role = Role::linear;
  Part part = Part::other;
  std::int64_t layer = -1, expert = -1;  // -1: outside the layers; none or all of the experts
  std::int64_t rows = 0, cols = 0;       // cols is 0 for vectors

  std::uint64_t elements() const { return std::uint64_t(rows) * std::uint64_t(cols ? cols : 1); }
  // "model.layers.0.mlp.up_proj": what skip patterns are matched against.
  std::string module() const { return name.substr(0, name.rfind('.')); }
};

// In the order in which a forward pass meets them. The head is listed only if it is not tied to the embedding.
std::vector<ModuleSpec> list_modules(const ModelShape& shape);

}  // namespace nibble
