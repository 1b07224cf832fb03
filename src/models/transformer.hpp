// The forward pass of every architecture Nibble runs, over any backend: the steps of block.hpp, layer by layer.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "models/activations.hpp"
#include "models/pass.hpp"
#include "models/rope_tables.hpp"
#include "models/transformer_weights.hpp"

namespace nibble {

// Receives the logits (vocab_size floats, valid during the call) after token `position` of slice `slice`, in order.
using LogitsSink = std::function<void(std::size_t slice, std::int64_t position, std::span<const float> logits)>;

// Sees activations as they are made; layer is 0 outside the layers. The view lies in the backend's memory and is good
// during the call: download() reads it.
using Observer = std::function<void(Slot slot, std::int64_t layer, TensorView values)>;

class Transformer {
 public:
  // `max_tokens` bounds the tokens of one pass, and so the memory of activations; longer input is cut into passes. What
  // passes need is taken when it is known how long they are.
  static Result<std::unique_ptr<Transformer>> create(ModelConfig config, std::vector<double> rope_divisors,
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
  // The passes that so many tokens of so many sequences are cut into, of which so many (at most) give logits.
  PassShape shape_of(std::int64_t tokens, std::int64_t sequences, std::int64_t logits, std::int64_t positions) const;

  const ModelConfig& config() const { return config_; }
  Backend& backend() { return backend_; }
  TransformerWeights& weights() { return weights_; }

 private:
  Transformer(ModelConfig config, std::vector<double> rope_divisors, Backend& backend, TransformerWeights weights,
              std::int64_t max_tokens);
  Result<PassShape> check(std::span<const Slice> slices) const;
  Result<void> run_pass(const LogitsSink& sink, const std::function<bool()>& stop);
  void run_layers();
  void emit_logits(const LogitsSink& sink);

  // A step of a block, as inference does it.
  struct Place {
    std::int64_t layer;
    const LayerWeights& weights;
    const AttentionBatch& batch;
  };
  void run(const NormStep& step, const Place& place);
  void run(const LinearStep& step, const Place& place);
  void run(const RopeStep& step, const Place& place);
  void run(const AttentionStep& step, const Place& place);
  void run(const GateStep& step, const Place& place);

  TensorView view(Slot slot) const { return activations_.view(slot, pass_.tokens()); }
  void show(Slot slot, std::int64_t layer, TensorView values) const {
    if (observer_) observer_(slot, layer, values);
  }

  ModelConfig config_;
  std::vector<Step> steps_;
  Backend& backend_;
  TransformerWeights weights_;
  Observer observer_;
  RopeTables rope_;
  std::int64_t max_tokens_ = 0;
  PassShape reserved_;
  Activations activations_;
  Pass pass_;
  std::vector<float> host_logits_;  // where the host cannot read the backend's memory
};

}  // namespace nibble
