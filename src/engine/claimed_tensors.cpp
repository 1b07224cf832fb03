#include "engine/claimed_tensors.hpp"

#include <charconv>
#include <set>

#include "engine/placement.hpp"
#include "engine/weights.hpp"
#include "io/codecs/bnb.hpp"
#include "models/gguf_rope.hpp"
#include "models/modules.hpp"

namespace nibble {
namespace {

// Older files of these models carry constants that are computed today.
bool is_constant(std::string_view name) {
  return name.find("rotary_emb.inv_freq") != std::string_view::npos || name == "position_ids" ||
         name.ends_with(".position_ids");
}

bool is_beyond_the_last_layer(std::string_view name, std::int64_t layers) {
  constexpr std::string_view prefix = "model.layers.";
  if (!name.starts_with(prefix)) return false;
  std::int64_t layer = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, failed] = std::from_chars(name.data() + prefix.size(), end, layer);
  return failed == std::errc() && rest != end && *rest == '.' && layer >= layers;
}

// Of a folder; llama.cpp computes with every tensor of a file.
bool may_be_left_out(const Checkpoint& checkpoint, const CheckpointTensor& tensor, const ModelConfig& config) {
  if (checkpoint.is_gguf()) return false;
  return is_constant(tensor.name) || is_beyond_the_last_layer(tensor.name, config.layers) ||
         (tensor.name == "lm_head.weight" && config.tied_embeddings);
}

}  // namespace

Result<std::vector<std::string>> unclaimed_tensors(const Checkpoint& checkpoint, const ModelConfig& config,
                                                   const std::vector<std::string>& ignored) {
  NIBBLE_TRY(const SkipPatterns patterns, SkipPatterns::compile(ignored));
  const std::vector<ModuleSpec> modules = list_modules(config);
  std::set<std::string_view> claimed = {gguf_rope_tensor};
  for (const ModuleSpec& module : modules) {
    claimed.insert(module.name);
    // What is missing says more than what stands there in its place.
    if (!checkpoint.is_gguf() && !checkpoint.find(module.name)) return find_tensor(checkpoint, module).error();
  }
  const TensorLookup find = [&](std::string_view name) { return checkpoint.find_stored(name); };
  std::vector<std::string> out;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    if (claimed.contains(tensor.name)) continue;
    const std::string weight = bnb_companion_of(tensor.name);
    if (!weight.empty() && claimed.contains(weight) && is_bnb_weight(find, weight)) continue;
    if (!may_be_left_out(checkpoint, tensor, config) && !patterns.matches(tensor.name))
      return error(
          Errc::unsupported,
          "{}: tensor \"{}\" has no place in {}{}; the model is of another kind than it says, and without this "
          "tensor it would compute something else. If it is harmless, say so with --ignore-tensors REGEX",
          checkpoint.path().string(), tensor.name, config.architecture,
          tensor.name.ends_with(".bias") ? ", whose config.json says nothing of such a bias" : "");
    out.push_back(tensor.name);
  }
  return out;
}

}  // namespace nibble
