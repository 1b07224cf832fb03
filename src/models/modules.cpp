#include "models/modules.hpp"

namespace nibble {

std::vector<ModuleSpec> list_modules(const ModelConfig& c) {
  std::vector<ModuleSpec> modules;
  const std::int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  const auto linear = [&](const std::string& name, std::int64_t rows, std::int64_t cols, bool bias) {
    modules.push_back({name + ".weight", Role::linear, rows, cols});
    if (bias) modules.push_back({name + ".bias", Role::bias, rows, 0});
  };
  modules.push_back({"model.embed_tokens.weight", Role::embedding, c.vocab_size, c.hidden_size});
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    modules.push_back({at + "input_layernorm.weight", Role::norm, c.hidden_size, 0});
    linear(at + "self_attn.q_proj", q, c.hidden_size, c.qkv_bias);
    linear(at + "self_attn.k_proj", kv, c.hidden_size, c.qkv_bias);
    linear(at + "self_attn.v_proj", kv, c.hidden_size, c.qkv_bias);
    if (c.qk_norm) {
      modules.push_back({at + "self_attn.q_norm.weight", Role::norm, c.head_dim, 0});
      modules.push_back({at + "self_attn.k_norm.weight", Role::norm, c.head_dim, 0});
    }
    linear(at + "self_attn.o_proj", c.hidden_size, q, c.output_bias);
    modules.push_back({at + "post_attention_layernorm.weight", Role::norm, c.hidden_size, 0});
    linear(at + "mlp.gate_proj", c.intermediate_size, c.hidden_size, c.mlp_bias);
    linear(at + "mlp.up_proj", c.intermediate_size, c.hidden_size, c.mlp_bias);
    linear(at + "mlp.down_proj", c.hidden_size, c.intermediate_size, c.mlp_bias);
  }
  modules.push_back({"model.norm.weight", Role::norm, c.hidden_size, 0});
  if (!c.tied_embeddings) modules.push_back({"lm_head.weight", Role::head, c.vocab_size, c.hidden_size});
  return modules;
}

}  // namespace nibble
