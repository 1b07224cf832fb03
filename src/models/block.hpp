// A block of the model as a list of steps over named slots, built once from the config. Inference interprets the list
// (transformer.cpp); whatever else has to know what a block computes reads it: the memory of activations, the observer.
//
// A slot is written by one step. Whether two slots lie in the same memory is decided where memory is bound to them
// (activations.hpp), so that a step works in place or not without knowing it.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "models/config.hpp"
#include "models/modules.hpp"

namespace nibble {

// In the order in which a forward pass fills them.
enum class Slot : std::uint8_t {
  embedded,         // the residual before the first layer
  block_input,      // the residual
  attention_input,  // what q, k and v read
  query_projected,  // before norm and rope
  key_projected,
  value,
  query_normed,
  key_normed,
  query,  // rotated
  key,
  attended,         // what o_proj reads
  after_attention,  // the residual
  mlp_input,        // what gate and up read
  gate,
  up,
  mlp_product,   // what down_proj reads
  block_output,  // the residual
  head_input,    // normed; this and the logits only where logits are asked for
  logits,
};
inline constexpr std::size_t slot_count = std::size_t(Slot::logits) + 1;

std::int64_t columns_of(Slot slot, const ModelShape& shape);

// What an observer is told, by module: "model.layers.0.mlp.down_proj input". Empty for slots that are not shown.
std::string name_of(Slot slot, std::int64_t layer);

struct NormStep {
  Slot x;
  Part gain;  // as wide as a row, or as each head of it
  Slot out;
};
// Every weight reads x. onto: the one output is this plus the product, and lies in its memory.
struct LinearStep {
  struct Output {
    Part weight;
    Slot out;
  };
  Slot x;
  std::vector<Output> outputs;
  std::optional<Slot> onto = {};
};
struct RopeStep {
  Slot x, out;
};
// Keys and values go to the cache, then queries see what is in it.
struct AttentionStep {
  Slot query, key, value, out;
};
struct GateStep {
  Slot gate, up, out;
};
using Step = std::variant<NormStep, LinearStep, RopeStep, AttentionStep, GateStep>;

// From Slot::block_input to Slot::block_output.
std::vector<Step> block_steps(const ModelShape& shape);

}  // namespace nibble
