#include "models/block.hpp"

#include "base/error.hpp"

namespace nibble {
namespace {

void add_attention(const ModelShape& shape, std::vector<Step>& steps) {
  using enum Slot;
  steps.push_back(NormStep{block_input, Part::input_norm, attention_input});
  steps.push_back(
      LinearStep{attention_input, {{Part::q, query_projected}, {Part::k, key_projected}, {Part::v, value}}});
  if (shape.qk_norm) {
    steps.push_back(NormStep{query_projected, Part::q_norm, query_normed});
    steps.push_back(NormStep{key_projected, Part::k_norm, key_normed});
  }
  steps.push_back(RopeStep{shape.qk_norm ? query_normed : query_projected, query});
  steps.push_back(RopeStep{shape.qk_norm ? key_normed : key_projected, key});
  steps.push_back(AttentionStep{query, key, value, attended});
  steps.push_back(LinearStep{attended, {{Part::o, after_attention}}, block_input});
}

void add_feed_forward(std::vector<Step>& steps) {
  using enum Slot;
  steps.push_back(NormStep{after_attention, Part::post_attention_norm, mlp_input});
  steps.push_back(LinearStep{mlp_input, {{Part::gate, gate}, {Part::up, up}}});
  steps.push_back(GateStep{gate, up, mlp_product});
  steps.push_back(LinearStep{mlp_product, {{Part::down, block_output}}, after_attention});
}

std::string_view name_inside(Slot slot) {
  switch (slot) {
    case Slot::attention_input:
      return ".input_layernorm output";
    case Slot::query_projected:
      return ".self_attn.q_proj output";
    case Slot::key_projected:
      return ".self_attn.k_proj output";
    case Slot::value:
      return ".self_attn.v_proj output";
    case Slot::attended:
      return ".self_attn.o_proj input";
    case Slot::after_attention:
      return " residual after attention";
    case Slot::mlp_input:
      return ".post_attention_layernorm output";
    case Slot::gate:
      return ".mlp.gate_proj output";
    case Slot::up:
      return ".mlp.up_proj output";
    case Slot::mlp_product:
      return ".mlp.down_proj input";
    case Slot::block_output:
      return " output";
    default:
      return {};
  }
}

}  // namespace

std::vector<Step> block_steps(const ModelShape& shape) {
  std::vector<Step> steps;
  add_attention(shape, steps);
  add_feed_forward(steps);
  return steps;
}

std::string name_of(Slot slot, std::int64_t layer) {
  switch (slot) {
    case Slot::embedded:
      return "model.embed_tokens output";
    case Slot::head_input:
      return "model.norm output";
    case Slot::logits:
      return "lm_head output";
    default:
      return name_inside(slot).empty() ? std::string() : fmt::format("model.layers.{}{}", layer, name_inside(slot));
  }
}

std::int64_t columns_of(Slot slot, const ModelShape& shape) {
  switch (slot) {
    case Slot::query_projected:
    case Slot::query_normed:
    case Slot::query:
    case Slot::attended:
      return shape.heads * shape.head_dim;
    case Slot::key_projected:
    case Slot::key_normed:
    case Slot::key:
    case Slot::value:
      return shape.kv_heads * shape.head_dim;
    case Slot::gate:
    case Slot::up:
    case Slot::mlp_product:
      return shape.intermediate_size;
    case Slot::logits:
      return shape.vocab_size;
    default:
      return shape.hidden_size;
  }
}

}  // namespace nibble
