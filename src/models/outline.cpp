#include "models/outline.hpp"

#include <algorithm>

namespace nibble {
namespace {

constexpr std::int64_t largest = std::int64_t(1) << 20;       // of a size: no product of sizes overflows 64 bits
constexpr std::int64_t most_entries = std::int64_t(1) << 28;  // of a vocabulary or a context

// A whole number under the first of these keys that is present; -1 if what stands there is none, or is absurd.
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

struct Kind {
  std::string_view type;
  bool gemma = false, four_norms = false, qk_norm = false, qkv_bias = false, fused = false, experts = false,
       sinks = false;  // gpt-oss: a learned sink per head, biases everywhere
};
constexpr Kind kinds[] = {{.type = "llama"},
                          {.type = "mistral"},
                          {.type = "qwen2", .qkv_bias = true},
                          {.type = "qwen3", .qk_norm = true},
                          {.type = "gemma", .gemma = true},
                          {.type = "gemma2", .gemma = true, .four_norms = true},
                          {.type = "gemma3_text", .gemma = true, .four_norms = true, .qk_norm = true},
                          {.type = "gemma3", .gemma = true, .four_norms = true, .qk_norm = true},
                          {.type = "phi3", .fused = true},
                          {.type = "mixtral", .experts = true},
                          {.type = "qwen2_moe", .qkv_bias = true, .experts = true},
                          {.type = "qwen3_moe", .qk_norm = true, .experts = true},
                          {.type = "gpt_oss", .qkv_bias = true, .experts = true, .sinks = true}};

}  // namespace

Result<Outline> read_outline(const Json& whole, std::string_view place) {
  if (!whole.is_object()) return error(Errc::corrupt_file, "{}: expected a JSON object", place);
  Outline out;
  if (const auto list = whole.find("architectures");
      list != whole.end() && list->is_array() && !list->empty() && (*list)[0].is_string())
    out.architecture = (*list)[0].get<std::string>();
  const auto type_entry = whole.find("model_type");
  const std::string type = type_entry != whole.end() && type_entry->is_string() ? type_entry->get<std::string>() : "";
  const Kind* kind = nullptr;
  for (const Kind& entry : kinds)
    if (entry.type == type) kind = &entry;
  if (!kind)
    return error(Errc::unsupported,
                 "{}: model_type \"{}\" is not known; its weights' headers would still give its size: name the folder",
                 place, type);
  const auto text = whole.find("text_config");
  const Json& c = text != whole.end() && text->is_object() ? *text : whole;
  for (const char* part : {"vision_config", "audio_config"})
    if (const auto found = whole.find(part); found != whole.end() && found->is_object())
      out.notes.push_back(fmt::format(
          "{} describes weights that are not counted here: config.json does not list them, a folder's headers do",
          part));

  out.layers = number(c, {"num_hidden_layers"}), out.hidden_size = number(c, {"hidden_size"}),
  out.heads = number(c, {"num_attention_heads"});
  out.kv_heads = number(c, {"num_key_value_heads"}, out.heads), out.vocab_size = number(c, {"vocab_size"}),
  out.max_positions = number(c, {"max_position_embeddings"}, 2048);
  const std::int64_t inner = number(c, {"intermediate_size"}, out.hidden_size * 4);
  for (const std::int64_t size : {out.hidden_size, out.heads, out.kv_heads, inner})
    if (size < 1 || size > largest || out.layers < 1 || out.layers > 4096 || out.vocab_size < 1 ||
        out.max_positions < 1)
      return error(
          Errc::corrupt_file,
          "{}: hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads and "
          "vocab_size should be positive whole numbers that a model could have",
          place);
  out.head_dim = number(c, {"head_dim"}, out.hidden_size / out.heads);
  out.tied_embeddings = flag(c, "tie_word_embeddings", kind->gemma);
  const std::int64_t q = out.heads * out.head_dim, kv = out.kv_heads * out.head_dim, hidden = out.hidden_size;
  if (out.head_dim < 1 || out.head_dim > largest || q > largest || kv > largest)
    return error(Errc::corrupt_file, "{}: {} attention heads of {} are more than {} values", place, out.heads,
                 out.head_dim, largest);
  const std::int64_t experts = kind->experts ? number(c, {"num_local_experts", "num_experts"}, 8) : 0,
                     expert_inner = number(c, {"moe_intermediate_size"}, inner),
                     shared = number(c, {"shared_expert_intermediate_size"});
  if (experts < 0 || shared < 0 || expert_inner < 1 || experts * out.layers > 65536 || expert_inner > largest ||
      shared > largest)
    return error(Errc::corrupt_file, "{}: {} layers of {} experts of width {} are more than a model could have", place,
                 out.layers, experts, std::max(expert_inner, shared));
  const std::int64_t active = number(c, {"num_experts_per_tok", "experts_per_token"}, 2);
  out.mlp_width = kind->experts ? std::clamp<std::int64_t>(active, 1, experts) * expert_inner + shared : inner;

  const auto add = [&](std::string name, Role role, std::int64_t rows, std::int64_t cols) {
    out.modules.push_back({.name = std::move(name), .role = role, .rows = rows, .cols = cols});
  };
  add("model.embed_tokens.weight", Role::embedding, out.vocab_size, hidden);
  for (std::int64_t layer = 0; layer < out.layers; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    const auto mlp = [&](const std::string& prefix, std::int64_t width) {
      for (const char* name : {"gate_proj", "up_proj"}) add(prefix + name + ".weight", Role::linear, width, hidden);
      add(prefix + "down_proj.weight", Role::linear, hidden, width);
    };
    add(at + "input_layernorm.weight", Role::norm, hidden, 0),
        add(at + "post_attention_layernorm.weight", Role::norm, hidden, 0);
    if (kind->four_norms)
      add(at + "pre_feedforward_layernorm.weight", Role::norm, hidden, 0),
          add(at + "post_feedforward_layernorm.weight", Role::norm, hidden, 0);
    if (kind->qk_norm)
      add(at + "self_attn.q_norm.weight", Role::norm, out.head_dim, 0),
          add(at + "self_attn.k_norm.weight", Role::norm, out.head_dim, 0);
    if (kind->fused) {
      add(at + "self_attn.qkv_proj.weight", Role::linear, q + 2 * kv, hidden);
    } else {
      add(at + "self_attn.q_proj.weight", Role::linear, q, hidden),
          add(at + "self_attn.k_proj.weight", Role::linear, kv, hidden),
          add(at + "self_attn.v_proj.weight", Role::linear, kv, hidden);
      if (kind->qkv_bias)
        add(at + "self_attn.q_proj.bias", Role::bias, q, 0), add(at + "self_attn.k_proj.bias", Role::bias, kv, 0),
            add(at + "self_attn.v_proj.bias", Role::bias, kv, 0);
    }
    add(at + "self_attn.o_proj.weight", Role::linear, hidden, q);
    if (kind->fused) {
      add(at + "mlp.gate_up_proj.weight", Role::linear, 2 * inner, hidden),
          add(at + "mlp.down_proj.weight", Role::linear, hidden, inner);
    } else if (kind->experts) {
      add(at + "mlp.gate.weight", Role::linear, experts, hidden);
      if (kind->sinks)
        add(at + "self_attn.sinks", Role::bias, out.heads, 0), add(at + "self_attn.o_proj.bias", Role::bias, hidden, 0),
            add(at + "mlp.router.bias", Role::bias, experts, 0),
            add(at + "mlp.experts.gate_up_proj_bias", Role::bias, experts * 2 * expert_inner, 0),
            add(at + "mlp.experts.down_proj_bias", Role::bias, experts * hidden, 0);
      for (std::int64_t e = 0; e < experts; ++e) mlp(at + "mlp.experts." + std::to_string(e) + ".", expert_inner);
      if (shared > 0)
        mlp(at + "mlp.shared_expert.", shared), add(at + "mlp.shared_expert_gate.weight", Role::linear, 1, hidden);
    } else {
      mlp(at + "mlp.", inner);
    }
  }
  add("model.norm.weight", Role::norm, hidden, 0);
  if (!out.tied_embeddings) add("lm_head.weight", Role::head, out.vocab_size, hidden);
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
    out.notes.clear(), out.modules.clear();  // what config.json leaves out is in the headers
  } else {
    if (known.error().code != Errc::unsupported) return known.error();
    if (const auto type = config.find("model_type"); type != config.end() && type->is_string())
      out.architecture = type->get<std::string>();
    out.notes.push_back("its KV cache and activations are not counted: config.json says nothing that is understood");
  }
  std::uint64_t beside = 0;
  for (const CheckpointTensor& tensor : tensors) {
    const auto has = [&](std::string_view part) { return tensor.name.find(part) != std::string::npos; };
    const bool other = has("vision") || has("visual") || has("audio") || has("image");
    if (other) beside += tensor.elements();
    const bool matrix = tensor.shape.size() >= 2;
    const Role role = !matrix                                          ? (has("bias") ? Role::bias : Role::norm)
                      : !other && (has("embed_tokens") || has("wte.")) ? Role::embedding
                      : has("lm_head")                                 ? Role::head
                                                                       : Role::linear;
    const std::int64_t cols = matrix ? tensor.shape.back() : 0, elements = std::int64_t(tensor.elements());
    out.modules.push_back(
        {.name = tensor.name, .role = role, .rows = cols > 0 ? elements / cols : elements, .cols = cols});
  }
  if (beside > 0)
    out.notes.push_back(
        fmt::format("{} of the parameters read images or sound, and are counted as linear weights", beside));
  return out;
}

}  // namespace nibble
