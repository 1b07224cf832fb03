#include "models/modules.hpp"

#include "base/error.hpp"

namespace nibble {
namespace {

// "mlp.up_proj" of expert 3 is "mlp.experts.3.up_proj".
std::string tensor_name(Part part, Role role, std::int64_t layer, std::int64_t expert) {
  const std::string_view name = name_of(part), end = role == Role::bias ? "bias" : "weight";
  if (layer < 0) return fmt::format("{}.{}", name, end);
  if (expert < 0) return fmt::format("model.layers.{}.{}.{}", layer, name, end);
  return fmt::format("model.layers.{}.mlp.experts.{}{}.{}", layer, expert, name.substr(name.find('.')), end);
}

class List {
 public:
  explicit List(const ModelShape& shape) : shape_(shape) {}

  std::vector<ModuleSpec> all() {
    add(Part::embedding, Role::embedding, shape_.vocab_size, shape_.hidden_size);
    if (shape_.learned_positions > 0)
      add(Part::positions, Role::embedding, shape_.learned_positions, shape_.hidden_size);
    if (shape_.embedding_norm) norm(Part::embedding_norm, shape_.hidden_size);
    for (layer_ = 0; layer_ < shape_.layers; ++layer_) {
      attention();
      feed_forward();
    }
    layer_ = -1;
    norm(Part::final_norm, shape_.hidden_size);
    if (!shape_.tied_embeddings) add(Part::head, Role::head, shape_.vocab_size, shape_.hidden_size);
    if (shape_.head_bias) bias(Part::head, shape_.vocab_size);
    return std::move(modules_);
  }

 private:
  void attention() {
    const std::int64_t hidden = shape_.hidden_size, q = shape_.heads * shape_.head_dim,
                       kv = shape_.kv_heads * shape_.head_dim;
    norm(Part::input_norm, hidden);
    if (shape_.kv_rank > 0) return latent_attention();
    if (shape_.fused) {
      linear(Part::qkv, q + 2 * kv, hidden, shape_.qkv_bias);
    } else {
      linear(Part::q, q, hidden, shape_.qkv_bias);
      linear(Part::k, kv, hidden, shape_.qkv_bias);
      linear(Part::v, kv, hidden, shape_.qkv_bias);
    }
    if (shape_.qk_norm) {
      norm(Part::q_norm, shape_.wide_qk_norm ? q : shape_.head_dim);
      norm(Part::k_norm, shape_.wide_qk_norm ? kv : shape_.head_dim);
    }
    if (shape_.sinks) bias(Part::sinks, shape_.heads);
    linear(Part::o, hidden, q, shape_.output_bias);
    if (!shape_.one_norm) norm(Part::post_attention_norm, hidden);
  }

  // head_dim is that of q and k: what rope turns and what it does not.
  void latent_attention() {
    const std::int64_t hidden = shape_.hidden_size, q = shape_.heads * shape_.head_dim;
    if (shape_.q_rank > 0) {
      linear(Part::q_down, shape_.q_rank, hidden, shape_.qkv_bias);
      norm(Part::q_down_norm, shape_.q_rank);
    }
    linear(Part::q, q, shape_.q_rank > 0 ? shape_.q_rank : hidden, false);
    linear(Part::kv_down, shape_.kv_rank + shape_.rope_dim, hidden, shape_.qkv_bias);
    norm(Part::kv_down_norm, shape_.kv_rank);
    linear(Part::kv_up, shape_.heads * (shape_.head_dim - shape_.rope_dim + shape_.value_dim), shape_.kv_rank, false);
    linear(Part::o, hidden, shape_.heads * shape_.value_dim, shape_.output_bias);
    norm(Part::post_attention_norm, hidden);
  }

  bool has_experts() const {
    return shape_.experts > 0 && layer_ >= shape_.dense_layers && (layer_ + 1) % shape_.expert_step == 0;
  }

  void feed_forward() {
    const std::int64_t hidden = shape_.hidden_size, inner = shape_.intermediate_size;
    if (shape_.four_norms) norm(Part::pre_feed_forward_norm, hidden);
    if (has_experts()) {
      experts();
    } else if (shape_.fused && !shape_.plain_mlp) {
      linear(Part::gate_up, 2 * inner, hidden, shape_.mlp_bias);
      linear(Part::down, hidden, inner, shape_.mlp_bias);
    } else {
      gated(Part::gate, Part::up, Part::down, inner);
    }
    if (shape_.four_norms) norm(Part::post_feed_forward_norm, hidden);
  }

  void experts() {
    const std::int64_t hidden = shape_.hidden_size;
    linear(Part::router, shape_.experts, hidden, shape_.expert_biases);
    for (expert_ = 0; expert_ < shape_.experts; ++expert_) gated(Part::gate, Part::up, Part::down, shape_.expert_width);
    expert_ = -1;
    if (shape_.expert_biases) {
      bias(Part::experts_gate_up, shape_.experts * 2 * shape_.expert_width);
      bias(Part::experts_down, shape_.experts * hidden);
    }
    if (shape_.shared_expert_width > 0) {
      gated(Part::shared_gate, Part::shared_up, Part::shared_down, shape_.shared_expert_width);
      if (!shape_.no_shared_router) linear(Part::shared_router, 1, hidden, false);
    }
  }

  void gated(Part gate, Part up, Part down, std::int64_t width) {
    if (!shape_.plain_mlp) linear(gate, width, shape_.hidden_size, shape_.mlp_bias);
    linear(up, width, shape_.hidden_size, shape_.mlp_bias);
    linear(down, shape_.hidden_size, width, shape_.mlp_bias);
  }

  void linear(Part part, std::int64_t rows, std::int64_t cols, bool has_bias) {
    add(part, Role::linear, rows, cols);
    if (has_bias) bias(part, rows);
  }
  void bias(Part part, std::int64_t width) { add(part, Role::bias, width, 0); }
  void norm(Part part, std::int64_t width) {
    add(part, Role::norm, width, 0);
    if (shape_.norm_biases) bias(part, width);
  }
  void add(Part part, Role role, std::int64_t rows, std::int64_t cols) {
    modules_.push_back({.name = tensor_name(part, role, layer_, expert_),
                        .role = role,
                        .part = part,
                        .layer = layer_,
                        .expert = expert_,
                        .rows = rows,
                        .cols = cols});
  }

  const ModelShape& shape_;
  std::int64_t layer_ = -1, expert_ = -1;  // where it is
  std::vector<ModuleSpec> modules_;
};

}  // namespace

std::vector<ModuleSpec> list_modules(const ModelShape& shape) { return List(shape).all(); }

}  // namespace nibble
