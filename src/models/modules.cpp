#include "models/modules.hpp"

namespace nibble {
namespace {

constexpr std::string_view names[part_count] = {"model.embed_tokens", "input_layernorm",  "self_attn.q_proj",
                                                "self_attn.k_proj",   "self_attn.v_proj", "self_attn.q_norm",
                                                "self_attn.k_norm",   "self_attn.o_proj", "post_attention_layernorm",
                                                "mlp.gate_proj",      "mlp.up_proj",      "mlp.down_proj",
                                                "model.norm",         "lm_head"};

}  // namespace

std::string_view name_of(Part part) { return names[std::size_t(part)]; }

std::vector<ModuleSpec> list_modules(const ModelConfig& c) {
  std::vector<ModuleSpec> modules;
  const std::int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  const auto add = [&](Part part, Role role, std::int64_t layer, std::int64_t rows, std::int64_t cols) {
    const std::string at = layer < 0 ? "" : fmt::format("model.layers.{}.", layer);
    modules.push_back({.name = fmt::format("{}{}.{}", at, name_of(part), role == Role::bias ? "bias" : "weight"),
                       .role = role,
                       .part = part,
                       .layer = layer,
                       .rows = rows,
                       .cols = cols});
  };
  add(Part::embedding, Role::embedding, -1, c.vocab_size, c.hidden_size);
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    const auto norm = [&](Part part, std::int64_t width) { add(part, Role::norm, layer, width, 0); };
    const auto linear = [&](Part part, std::int64_t rows, std::int64_t cols, bool bias) {
      add(part, Role::linear, layer, rows, cols);
      if (bias) add(part, Role::bias, layer, rows, 0);
    };
    norm(Part::input_norm, c.hidden_size);
    linear(Part::q, q, c.hidden_size, c.qkv_bias);
    linear(Part::k, kv, c.hidden_size, c.qkv_bias);
    linear(Part::v, kv, c.hidden_size, c.qkv_bias);
    if (c.qk_norm) {
      norm(Part::q_norm, c.head_dim);
      norm(Part::k_norm, c.head_dim);
    }
    linear(Part::o, c.hidden_size, q, c.output_bias);
    norm(Part::post_attention_norm, c.hidden_size);
    linear(Part::gate, c.intermediate_size, c.hidden_size, c.mlp_bias);
    linear(Part::up, c.intermediate_size, c.hidden_size, c.mlp_bias);
    linear(Part::down, c.hidden_size, c.intermediate_size, c.mlp_bias);
  }
  add(Part::final_norm, Role::norm, -1, c.hidden_size, 0);
  if (!c.tied_embeddings) add(Part::head, Role::head, -1, c.vocab_size, c.hidden_size);
  return modules;
}

}  // namespace nibble
