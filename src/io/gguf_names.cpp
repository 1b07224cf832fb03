// Source: the tensor names of gguf-py's constants.
#include "io/gguf_names.hpp"

#include <array>

#include "base/error.hpp"

namespace nibble {
namespace {

struct Names {
  std::string_view gguf, hugging_face;
};
constexpr std::array<Names, 4> outer_names = {{{"token_embd.weight", "model.embed_tokens.weight"},
                                               {"output_norm.weight", "model.norm.weight"},
                                               {"output.weight", "lm_head.weight"},
                                               {"rope_freqs.weight", "rope_freqs.weight"}}};
constexpr std::array<Names, 11> layer_names = {{{"attn_norm", "input_layernorm"},
                                                {"attn_q", "self_attn.q_proj"},
                                                {"attn_k", "self_attn.k_proj"},
                                                {"attn_v", "self_attn.v_proj"},
                                                {"attn_output", "self_attn.o_proj"},
                                                {"attn_q_norm", "self_attn.q_norm"},
                                                {"attn_k_norm", "self_attn.k_norm"},
                                                {"ffn_norm", "post_attention_layernorm"},
                                                {"ffn_gate", "mlp.gate_proj"},
                                                {"ffn_up", "mlp.up_proj"},
                                                {"ffn_down", "mlp.down_proj"}}};
constexpr std::string_view gguf_layer = "blk.", hugging_face_layer = "model.layers.";

// FROM.layer.module.kind becomes TO.layer.module.kind with the module's other name.
std::string translate(std::string_view name, std::string_view Names::*from, std::string_view Names::*to,
                      std::string_view from_layer, std::string_view to_layer) {
  for (const Names& entry : outer_names)
    if (entry.*from == name) return std::string(entry.*to);
  if (!name.starts_with(from_layer)) return std::string(name);
  const auto dot = name.find('.', from_layer.size()), end = name.rfind('.');
  if (dot == name.npos || end <= dot) return std::string(name);
  const std::string_view layer = name.substr(from_layer.size(), dot - from_layer.size()),
                         module = name.substr(dot + 1, end - dot - 1);
  for (const Names& entry : layer_names)
    if (entry.*from == module) return fmt::format("{}{}.{}{}", to_layer, layer, entry.*to, name.substr(end));
  return std::string(name);
}

}  // namespace

std::string hugging_face_name(std::string_view gguf) {
  return translate(gguf, &Names::gguf, &Names::hugging_face, gguf_layer, hugging_face_layer);
}
std::string gguf_name(std::string_view hugging_face) {
  return translate(hugging_face, &Names::hugging_face, &Names::gguf, hugging_face_layer, gguf_layer);
}

}  // namespace nibble
