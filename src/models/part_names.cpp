// Source of llama.cpp's names: gguf-py's constants.
#include "models/part_names.hpp"

#include "base/error.hpp"

namespace nibble {
namespace {

struct PartName {
  Part part;
  std::string_view hugging_face, gguf = {};  // GGUF's only where the part is run
};
constexpr PartName names[part_count] = {{Part::embedding, "model.embed_tokens", "token_embd"},
                                        {Part::positions, "model.embed_positions"},
                                        {Part::embedding_norm, "model.embed_norm"},
                                        {Part::input_norm, "input_layernorm", "attn_norm"},
                                        {Part::q_down, "self_attn.q_a_proj"},
                                        {Part::q_down_norm, "self_attn.q_a_layernorm"},
                                        {Part::kv_down, "self_attn.kv_a_proj_with_mqa"},
                                        {Part::kv_down_norm, "self_attn.kv_a_layernorm"},
                                        {Part::kv_up, "self_attn.kv_b_proj"},
                                        {Part::q, "self_attn.q_proj", "attn_q"},
                                        {Part::k, "self_attn.k_proj", "attn_k"},
                                        {Part::v, "self_attn.v_proj", "attn_v"},
                                        {Part::qkv, "self_attn.qkv_proj"},
                                        {Part::q_norm, "self_attn.q_norm", "attn_q_norm"},
                                        {Part::k_norm, "self_attn.k_norm", "attn_k_norm"},
                                        {Part::sinks, "self_attn.sinks"},
                                        {Part::o, "self_attn.o_proj", "attn_output"},
                                        {Part::post_attention_norm, "post_attention_layernorm", "ffn_norm"},
                                        {Part::pre_feed_forward_norm, "pre_feedforward_layernorm"},
                                        {Part::router, "mlp.gate"},
                                        {Part::gate, "mlp.gate_proj", "ffn_gate"},
                                        {Part::up, "mlp.up_proj", "ffn_up"},
                                        {Part::gate_up, "mlp.gate_up_proj"},
                                        {Part::down, "mlp.down_proj", "ffn_down"},
                                        {Part::experts_gate_up, "mlp.experts.gate_up_proj"},
                                        {Part::experts_down, "mlp.experts.down_proj"},
                                        {Part::shared_gate, "mlp.shared_expert.gate_proj"},
                                        {Part::shared_up, "mlp.shared_expert.up_proj"},
                                        {Part::shared_down, "mlp.shared_expert.down_proj"},
                                        {Part::shared_router, "mlp.shared_expert_gate"},
                                        {Part::post_feed_forward_norm, "post_feedforward_layernorm"},
                                        {Part::final_norm, "model.norm", "output_norm"},
                                        {Part::head, "lm_head", "output"}};

constexpr bool in_the_order_of_parts() {
  for (std::size_t i = 0; i < part_count; ++i)
    if (names[i].part != Part(i)) return false;
  return true;
}
static_assert(in_the_order_of_parts());

constexpr std::string_view gguf_layer = "blk.", hugging_face_layer = "model.layers.";

// A tensor's name is [LAYERS N .] PART .KIND: "model.layers.", "3", "self_attn.q_proj", ".weight".
struct Pieces {
  std::string_view layer, part, kind;  // layer is empty outside the layers
};
Pieces take_apart(std::string_view name, std::string_view layers) {
  const std::size_t end = name.rfind('.');
  if (end == name.npos) return {{}, name, {}};
  if (!name.starts_with(layers)) return {{}, name.substr(0, end), name.substr(end)};
  const std::size_t dot = name.find('.', layers.size());
  if (end <= dot) return {{}, name, {}};
  return {name.substr(layers.size(), dot - layers.size()), name.substr(dot + 1, end - dot - 1), name.substr(end)};
}

bool is_outside(Part part) {
  return part == Part::embedding || part == Part::positions || part == Part::embedding_norm ||
         part == Part::final_norm || part == Part::head;
}

const PartName* find(const Pieces& pieces, std::string_view PartName::*in) {
  if (pieces.part.empty()) return nullptr;
  for (const PartName& entry : names)
    if (entry.*in == pieces.part && is_outside(entry.part) == pieces.layer.empty()) return &entry;
  return nullptr;
}

std::string translate(std::string_view name, std::string_view PartName::*from, std::string_view PartName::*to,
                      std::string_view from_layers, std::string_view to_layers) {
  const Pieces pieces = take_apart(name, from_layers);
  const PartName* entry = find(pieces, from);
  if (!entry || (entry->*to).empty()) return std::string(name);
  if (!pieces.layer.empty()) return fmt::format("{}{}.{}{}", to_layers, pieces.layer, entry->*to, pieces.kind);
  return pieces.kind == ".weight" ? fmt::format("{}{}", entry->*to, pieces.kind) : std::string(name);
}

}  // namespace

std::string_view name_of(Part part) {
  NIBBLE_ASSERT(std::size_t(part) < part_count, "a part that Nibble does not know has no name");
  return names[std::size_t(part)].hugging_face;
}

std::string hugging_face_name(std::string_view gguf) {
  return translate(gguf, &PartName::gguf, &PartName::hugging_face, gguf_layer, hugging_face_layer);
}
std::string gguf_name(std::string_view hugging_face) {
  return translate(hugging_face, &PartName::hugging_face, &PartName::gguf, hugging_face_layer, gguf_layer);
}

Part part_of(std::string_view name) {
  const PartName* entry = find(take_apart(name, hugging_face_layer), &PartName::hugging_face);
  return entry ? entry->part : Part::other;
}

}  // namespace nibble
