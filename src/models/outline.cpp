#include "models/outline.hpp"

#include <algorithm>

#include "models/architectures.hpp"

namespace nibble {
namespace {

constexpr std::int64_t largest = std::int64_t(1) << 20;       // of a size: no product of sizes overflows 64 bits
constexpr std::int64_t most_entries = std::int64_t(1) << 28;  // of a vocabulary or a context

// A whole number under the first of these keys that is present; -1: its value is no whole number, or is absurd.
std::int64_t number(const Json& config, std::initializer_list<const char*> keys, std::int64_t fallback = 0) {
  for (const char* key : keys)
    if (const auto found = config.find(key); found != config.end() && !found->is_null())
      return found->is_number_integer() && *found >= 0 && *found <= most_entries ? found->get<std::int64_t>() : -1;
  return fallback;
}

bool flag(const Json& config, const char* key, bool fallback) {
  const auto found = config.find(key);
  return found != config.end() && found->is_boolean() ? found->get<bool>() : fallback;
}

std::string text_under(const Json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<const Architecture*> find_architecture(const Json& config, std::string_view place) {
  const std::string type = text_under(config, "model_type");
  if (const Architecture* known = architecture_of_type(type)) return known;
  return error(Errc::unsupported,
               "{}: model_type \"{}\" is not known; its weights' headers would still give its size: name the folder",
               place, type);
}

Result<void> read_sizes(const Json& c, std::string_view place, bool tied, Outline& out) {
  out.layers = number(c, {"num_hidden_layers"});
  out.hidden_size = number(c, {"hidden_size"});
  out.heads = number(c, {"num_attention_heads"});
  out.kv_heads = number(c, {"num_key_value_heads"}, out.heads);
  out.vocab_size = number(c, {"vocab_size"});
  out.max_positions = number(c, {"max_position_embeddings"}, 2048);
  out.intermediate_size = number(c, {"intermediate_size"}, out.hidden_size * 4);
  for (const std::int64_t size : {out.hidden_size, out.heads, out.kv_heads, out.intermediate_size})
    if (size < 1 || size > largest || out.layers < 1 || out.layers > 4096 || out.vocab_size < 1 ||
        out.max_positions < 1)
      return error(
          Errc::corrupt_file,
          "{}: hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads and "
          "vocab_size should be positive whole numbers that a model could have",
          place);
  out.head_dim = number(c, {"head_dim"}, out.hidden_size / out.heads);
  out.tied_embeddings = flag(c, "tie_word_embeddings", tied);
  if (out.head_dim < 1 || out.head_dim > largest || out.heads * out.head_dim > largest ||
      out.kv_heads * out.head_dim > largest)
    return error(Errc::corrupt_file, "{}: {} attention heads of {} are more than {} values", place, out.heads,
                 out.head_dim, largest);
  out.mlp_width = out.intermediate_size;
  return {};
}

Result<void> read_experts(const Json& c, std::string_view place, bool has_experts, Outline& out) {
  out.experts = has_experts ? number(c, {"num_local_experts", "num_experts"}, 8) : 0;
  out.expert_width = number(c, {"moe_intermediate_size"}, out.intermediate_size);
  out.shared_expert_width = number(c, {"shared_expert_intermediate_size"});
  if (out.experts < 0 || out.shared_expert_width < 0 || out.expert_width < 1 || out.experts * out.layers > 65536 ||
      out.expert_width > largest || out.shared_expert_width > largest)
    return error(Errc::corrupt_file, "{}: {} layers of {} experts of width {} are more than a model could have", place,
                 out.layers, out.experts, std::max(out.expert_width, out.shared_expert_width));
  if (out.experts == 0) return {};
  const std::int64_t active = number(c, {"num_experts_per_tok", "experts_per_token"}, 2);
  out.mlp_width = std::clamp<std::int64_t>(active, 1, out.experts) * out.expert_width + out.shared_expert_width;
  return {};
}

// Of an architecture that Nibble does not know, only the words in a tensor's name say what it is.
bool has(const CheckpointTensor& tensor, std::string_view word) { return tensor.name.find(word) != std::string::npos; }

bool reads_other_than_text(const CheckpointTensor& tensor) {
  return has(tensor, "vision") || has(tensor, "visual") || has(tensor, "audio") || has(tensor, "image");
}

Role likely_role(const CheckpointTensor& tensor, bool other) {
  if (tensor.shape.size() < 2) return has(tensor, "bias") ? Role::bias : Role::norm;
  if (!other && (has(tensor, "embed_tokens") || has(tensor, "wte."))) return Role::embedding;
  return has(tensor, "lm_head") ? Role::head : Role::linear;
}

}  // namespace

Result<Outline> read_outline(const Json& config, std::string_view place) {
  if (!config.is_object()) return error(Errc::corrupt_file, "{}: expected a JSON object", place);
  NIBBLE_TRY(const Architecture* architecture, find_architecture(config, place));
  Outline out;
  static_cast<ModelShape&>(out) = architecture->block;
  if (const auto list = config.find("architectures");
      list != config.end() && list->is_array() && !list->empty() && (*list)[0].is_string())
    out.architecture = (*list)[0].get<std::string>();
  for (const char* part : {"vision_config", "audio_config"})
    if (const auto found = config.find(part); found != config.end() && found->is_object())
      out.notes.push_back(fmt::format(
          "{} describes weights that are not counted here: config.json does not list them, a folder's headers do",
          part));
  const auto text = config.find("text_config");
  const Json& sizes = text != config.end() && text->is_object() ? *text : config;
  NIBBLE_CHECK(read_sizes(sizes, place, architecture->tied_embeddings, out));
  NIBBLE_CHECK(read_experts(sizes, place, architecture->has_experts, out));
  out.modules = list_modules(out);
  return out;
}

Result<Outline> read_outline(const Json& config, const std::vector<CheckpointTensor>& tensors, std::string_view place) {
  const auto known = read_outline(config, place);
  const auto packed = config.find("quantization_config");
  if (packed != config.end() && !packed->is_null()) {
    if (!known) return known.error();
    Outline out = *known;
    out.notes.push_back("its files hold weights that are packed by another method; they are counted unpacked");
    return out;
  }
  Outline out;
  if (known) {
    out = *known;
    out.notes.clear();  // what config.json leaves out is in the headers
    out.modules.clear();
  } else {
    if (known.error().code != Errc::unsupported) return known.error();
    out.architecture = text_under(config, "model_type");
    out.notes.push_back("its KV cache and activations are not counted: config.json says nothing that is understood");
  }
  std::uint64_t beside = 0;
  for (const CheckpointTensor& tensor : tensors) {
    const bool other = reads_other_than_text(tensor);
    if (other) beside += tensor.elements();
    const std::int64_t cols = tensor.shape.size() >= 2 ? tensor.shape.back() : 0;
    const auto elements = std::int64_t(tensor.elements());
    out.modules.push_back({.name = tensor.name,
                           .role = likely_role(tensor, other),
                           .rows = cols > 0 ? elements / cols : elements,
                           .cols = cols});
  }
  if (beside > 0)
    out.notes.push_back(
        fmt::format("{} of the parameters read images or sound, and are counted as linear weights", beside));
  return out;
}

}  // namespace nibble
