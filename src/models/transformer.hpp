// The forward pass of every architecture Nibble runs, over any backend: pre-norm blocks of attention and gated MLP.
//
// The path of a token: embed -> [rms_norm -> q,k,v -> (q/k norm) -> rope -> attention -> o, added to the residual ->
// rms_norm -> gate,up -> silu*mul -> down, added] per layer -> rms_norm -> head -> logits.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/config.hpp"
#include "ops/backend.hpp"

namespace nibble {

struct Linear {
  std::unique_ptr<PreparedWeight> weight;
  const float* bias = nullptr;
};

struct LayerWeights {
  std::span<const float> input_norm, post_attention_norm, q_norm, k_norm;
  Linear q, k, v, o, gate, up, down;
};

struct TransformerWeights {
  std::unique_ptr<PreparedWeight> embedding;
  std::unique_ptr<PreparedWeight> head;  // null: tied, the embedding is used
  std::span<const float> norm;
  std::vector<LayerWeights> layers;
};

// The slot of a linear layer; `module` is one of those that modules.cpp lists for this model.
Linear& linear_of(TransformerWeights& weights, std::string_view module);

// Keys and values that one sequence has left behind.
class KvCache {
 public:
  static Result<KvCache> create(const ModelConfig& config, Allocator& memory, DType dtype, std::int64_t capacity);
  CacheView keys(std::int64_t layer) const { return view(2 * layer); }
  CacheView values(std::int64_t layer) const { return view(2 * layer + 1); }
  std::int64_t length() const { return length_; }
  std::int64_t capacity() const { return capacity_; }
  // Forgets everything from `length` on.
  void truncate(std::int64_t length) { length_ = length; }
  static std::uint64_t bytes(const ModelConfig& config, DType dtype, std::int64_t capacity);

 private:
  friend class Transformer;
  CacheView view(std::int64_t index) const;
  std::vector<Buffer> buffers_;
  DType dtype_ = DType::f32;
  std::int64_t kv_heads_ = 0, head_dim_ = 0, capacity_ = 0, length_ = 0;
};

enum class LogitsOf { none, last, all };

// What the passes of a run need at most: tokens and rows of logits of one pass, and positions that are reached.
struct PassShape {
  std::int64_t tokens = 0, logits = 0, positions = 0;
};

// New tokens of one sequence.
struct Slice {
  KvCache* cache = nullptr;
  std::span<const std::int32_t> tokens;
  LogitsOf logits = LogitsOf::last;
};

// Receives the logits (vocab_size floats, valid during the call) after token `position` of slice `slice`, in order.
using LogitsSink = std::function<void(std::size_t slice, std::int64_t position, std::span<const float> logits)>;

// What a forward pass computes, in its order. Outputs of o_proj and down_proj are added to the residual as they are
// made, so they are seen there.
enum class Site {
  embedded,         // the residual before the first layer
  attention_input,  // what q, k and v read: normed
  query,            // as projected, before norm and rope
  key,
  value,
  attended,         // what o_proj reads
  after_attention,  // the residual
  mlp_input,        // what gate and up read: normed
  gate,
  up,
  mlp_product,  // what down_proj reads
  after_mlp,    // the residual
  head_input,   // normed; the last two only where logits are asked for
  logits,
};
// By module: "model.layers.0.mlp.down_proj input".
std::string name_of(Site site, std::int64_t layer);

// Sees activations as they are made; layer is 0 outside the layers. The view lies in the backend's memory and is good
// during the call: download() reads it.
using Observer = std::function<void(Site site, std::int64_t layer, TensorView values)>;

class Transformer {
 public:
  // `max_tokens` bounds the tokens of one pass, and so the memory of activations; longer input is cut into passes. What
  // passes need is taken when it is known how long they are.
  static Result<std::unique_ptr<Transformer>> create(ModelConfig config, std::vector<double> rope_factors,
                                                     Backend& backend, TransformerWeights weights,
                                                     std::int64_t max_tokens);

  // Appends every slice to its cache and hands out logits. Checks capacity and token range before anything changes.
  // `stop` is asked between passes; true ends with Errc::cancelled (caches then hold whole passes).
  Result<void> forward(std::span<const Slice> slices, const LogitsSink& sink, const std::function<bool()>& stop = {});

  // bad_request: an id that is outside the vocabulary.
  Result<void> check_ids(std::span<const std::int32_t> ids) const;

  // From now on `observer` sees every pass; an empty one ends it. Without one nothing is spent.
  void observe(Observer observer) { observer_ = std::move(observer); }

  // Takes what such passes need; forward() does it for its own. out_of_memory: nothing is computed.
  Result<void> reserve(const PassShape& shape);
  const PassShape& reserved() const { return reserved_; }
  // The passes that so many tokens are cut into, of which so many (at most) give logits.
  PassShape shape_of(std::int64_t tokens, std::int64_t logits, std::int64_t positions) const;

  const ModelConfig& config() const { return config_; }
  Backend& backend() { return backend_; }
  TransformerWeights& weights() { return weights_; }

 private:
  struct Piece;
  Transformer(ModelConfig config, Backend& backend, TransformerWeights weights)
      : config_(std::move(config)), backend_(backend), weights_(std::move(weights)) {}
  Result<void> reserve_positions(std::int64_t positions);
  void run_pass(std::span<const Piece> pieces, std::int64_t tokens);
  void attend(const LayerWeights& layer, std::int64_t index, std::span<const Piece> pieces, std::int64_t tokens);
  std::span<const std::int32_t> positions(std::int64_t tokens) const {
    return {positions_.as<std::int32_t>(), std::size_t(tokens)};
  }
  void feed_forward(const LayerWeights& layer, std::int64_t index, std::int64_t tokens);
  void emit_logits(std::span<const Piece> pieces, const LogitsSink& sink);
  void show(Site site, std::int64_t layer, TensorView values) const {
    if (observer_) observer_(site, layer, values);
  }

  ModelConfig config_;
  Backend& backend_;
  TransformerWeights weights_;
  Observer observer_;
  std::vector<double> rope_factors_;
  RopeTable rope_;
  Buffer rope_cos_, rope_sin_;
  std::int64_t max_tokens_ = 0;
  PassShape reserved_;
  Buffer residual_, normed_, query_, key_, value_, attended_, gate_, up_, logits_, ids_, positions_;
  std::vector<std::int32_t> host_ids_, host_positions_;  // of the pass that is being put together
  std::vector<float> host_logits_;                       // where the host cannot read the backend's memory
};

}  // namespace nibble
