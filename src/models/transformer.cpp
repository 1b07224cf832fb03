#include "models/transformer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace nibble {
namespace {

constexpr std::int64_t logits_rows = 32;  // rows of the head computed at once: a vocabulary of 150k costs 20 MB

// What was loaded is what is computed: no weight is missing, and none was loaded for nothing.
void check_complete(const std::vector<Step>& steps, const TransformerWeights& weights) {
  std::array<bool, part_count> read{};
  for (const Step& step : steps)
    if (const auto* linear = std::get_if<LinearStep>(&step))
      for (const LinearStep::Output& output : linear->outputs) read[std::size_t(output.weight)] = true;
  for (const LayerWeights& layer : weights.layers)
    for (std::size_t part = 0; part < part_count; ++part)
      NIBBLE_ASSERT(bool(layer.linears[part].weight) == read[part],
                    "a step of the block reads each weight that was loaded, and no other");
}

}  // namespace

Transformer::Transformer(ModelConfig config, std::vector<double> rope_divisors, Backend& backend,
                         TransformerWeights weights, std::int64_t max_tokens)
    : config_(std::move(config)),
      steps_(block_steps(config_)),
      backend_(backend),
      weights_(std::move(weights)),
      rope_(std::move(rope_divisors)),
      max_tokens_(max_tokens),
      activations_(config_) {}

Result<std::unique_ptr<Transformer>> Transformer::create(ModelConfig config, std::vector<double> rope_divisors,
                                                         Backend& backend, TransformerWeights weights,
                                                         std::int64_t max_tokens) {
  std::unique_ptr<Transformer> model(
      new Transformer(std::move(config), std::move(rope_divisors), backend, std::move(weights), max_tokens));
  check_complete(model->steps_, model->weights_);
  const std::int64_t positions = std::min<std::int64_t>(model->config_.max_positions, 2048);
  NIBBLE_CHECK(model->rope_.reserve(model->config_, backend, positions));
  return model;
}

PassShape Transformer::shape_of(std::int64_t tokens, std::int64_t sequences, std::int64_t logits,
                                std::int64_t positions) const {
  const std::int64_t rows = std::min(tokens, max_tokens_);
  return {rows, std::min(sequences, rows), std::min({logits, rows, logits_rows}), positions};
}

Result<void> Transformer::reserve(const PassShape& shape) {
  NIBBLE_CHECK(activations_.reserve(backend_, shape));
  NIBBLE_CHECK(pass_.reserve(backend_.memory(), shape));
  NIBBLE_CHECK(rope_.reserve(config_, backend_, shape.positions));
  reserved_ = {std::max(reserved_.tokens, shape.tokens), std::max(reserved_.sequences, shape.sequences),
               std::max(reserved_.logits, shape.logits), std::max(reserved_.positions, shape.positions)};
  return backend_.reserve(shape);
}

Result<void> Transformer::check_ids(std::span<const std::int32_t> ids) const {
  for (const std::int32_t id : ids)
    if (id < 0 || id >= config_.vocab_size)
      return error(Errc::bad_request,
                   "token id {} is outside the model's vocabulary of {}; tokenizer and model do not belong together",
                   id, config_.vocab_size);
  return {};
}

Result<PassShape> Transformer::check(std::span<const Slice> slices) const {
  std::int64_t highest = 0, tokens = 0, logits = 0;
  for (const Slice& slice : slices) {
    const auto count = std::int64_t(slice.tokens.size());
    const std::int64_t end = slice.cache->length() + count;
    if (end > slice.cache->capacity())
      return error(Errc::bad_request,
                   "{} tokens do not fit in a context of {}; shorten the text or ask for a longer context", end,
                   slice.cache->capacity());
    NIBBLE_CHECK(check_ids(slice.tokens));
    highest = std::max(highest, slice.cache->capacity());  // tables for all that may come are made once
    tokens += count;
    if (slice.logits != LogitsOf::none) logits += slice.logits == LogitsOf::all ? count : 1;
  }
  return shape_of(tokens, std::int64_t(slices.size()), logits, highest);
}

Result<void> Transformer::forward(std::span<const Slice> slices, const LogitsSink& sink,
                                  const std::function<bool()>& stop) {
  NIBBLE_TRY(const PassShape shape, check(slices));
  NIBBLE_CHECK(reserve(shape));
  pass_.clear();
  for (std::size_t s = 0; s < slices.size(); ++s) {
    const auto count = std::int64_t(slices[s].tokens.size());
    for (std::int64_t first = 0; first < count;) {
      const std::int64_t fits = std::min(count - first, max_tokens_ - pass_.tokens());
      pass_.add(s, slices[s], first, fits);
      first += fits;
      if (pass_.tokens() == max_tokens_) NIBBLE_CHECK(run_pass(sink, stop));
    }
  }
  return run_pass(sink, stop);
}

Result<void> Transformer::run_pass(const LogitsSink& sink, const std::function<bool()>& stop) {
  if (pass_.tokens() == 0) return {};
  if (stop && stop()) return error(Errc::cancelled, "stopped");
  pass_.upload(backend_);
  const AttentionBatch batch = pass_.batch();
  // An observer reads between operations, so what it sees is not recorded.
  if (observer_) {
    run_layers();
  } else {
    if (backend_.begin_pass({batch.tokens, batch.sequences, 0, batch.positions})) run_layers();
    backend_.end_pass();
  }
  pass_.finish();
  emit_logits(sink);
  pass_.clear();
  return {};
}

void Transformer::run_layers() {
  const AttentionBatch batch = pass_.batch();
  backend_.embed(*weights_.embedding, pass_.ids(), view(Slot::embedded));
  show(Slot::embedded, 0, view(Slot::embedded));
  for (std::int64_t layer = 0; layer < config_.layers; ++layer) {
    const Place place{layer, weights_.layers[std::size_t(layer)], batch};
    for (const Step& step : steps_) std::visit([&](const auto& kind) { run(kind, place); }, step);
  }
}

void Transformer::run(const NormStep& step, const Place& place) {
  backend_.rms_norm(view(step.x), place.weights.gain(step.gain), float(config_.rms_norm_eps), view(step.out));
  show(step.out, place.layer, view(step.out));
}

// The one place where weights are applied.
void Transformer::run(const LinearStep& step, const Place& place) {
  std::array<LinearTask, part_count> group;
  std::size_t count = 0;
  for (const LinearStep::Output& output : step.outputs) {
    const Linear& linear = place.weights.linear(output.weight);
    group[count++] = {linear.weight.get(), linear.bias, view(output.out)};
  }
  backend_.linear({group.data(), count}, view(step.x), step.onto.has_value());
  for (const LinearStep::Output& output : step.outputs) show(output.out, place.layer, view(output.out));
}

void Transformer::run(const RopeStep& step, const Place& place) {
  backend_.rope(view(step.x), pass_.positions(), rope_.table(), view(step.out));
  show(step.out, place.layer, view(step.out));
}

void Transformer::run(const AttentionStep& step, const Place& place) {
  AttentionShape shape;
  shape.layer = place.layer;
  shape.heads = config_.heads;
  shape.kv_heads = config_.kv_heads;
  shape.head_dim = config_.head_dim;
  shape.window = config_.windows[std::size_t(place.layer)];
  shape.scale = float(1.0 / std::sqrt(double(config_.head_dim)));
  backend_.append(place.batch, shape, view(step.key), view(step.value));
  backend_.attention(place.batch, shape, view(step.query), view(step.out));
  show(step.out, place.layer, view(step.out));
}

void Transformer::run(const GateStep& step, const Place& place) {
  backend_.silu_mul(view(step.gate), view(step.up), view(step.out));
  show(step.out, place.layer, view(step.out));
}

void Transformer::emit_logits(const LogitsSink& sink) {
  struct Wanted {
    std::size_t slice;
    std::int64_t position, row;
  };
  std::vector<Wanted> wanted;
  for (const Piece& piece : pass_.pieces()) {
    if (piece.logits == LogitsOf::none) continue;
    for (std::int64_t i = piece.logits == LogitsOf::all ? 0 : piece.rows - 1; i < piece.rows; ++i)
      wanted.push_back({piece.slice, piece.first_token + i, piece.row + i});
  }
  const PreparedWeight& head = weights_.head ? *weights_.head : *weights_.embedding;
  for (std::size_t first = 0; first < wanted.size(); first += std::size_t(logits_rows)) {
    const auto count = std::int64_t(std::min(wanted.size() - first, std::size_t(logits_rows)));
    const TensorView normed = activations_.view(Slot::head_input, count),
                     logits = activations_.view(Slot::logits, count);
    // Norms land in consecutive rows, so that the head sees one dense matrix.
    for (std::int64_t i = 0; i < count; ++i)
      backend_.rms_norm(view(Slot::block_output).rows_from(wanted[first + std::size_t(i)].row, 1), weights_.norm,
                        float(config_.rms_norm_eps), normed.rows_from(i, 1));
    const LinearTask task{&head, nullptr, logits};
    backend_.linear({&task, 1}, normed, false);
    show(Slot::head_input, 0, normed);
    show(Slot::logits, 0, logits);
    const float* host = logits.row(0);
    if (backend_.shares_host_memory() && logits.dtype == DType::f32) {
      backend_.synchronize();
    } else {
      host_logits_.resize(std::size_t(count * config_.vocab_size));
      backend_.download(logits, host_logits_.data());
      host = host_logits_.data();
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const Wanted& row = wanted[first + std::size_t(i)];
      sink(row.slice, row.position, {host + i * config_.vocab_size, std::size_t(config_.vocab_size)});
    }
  }
}

}  // namespace nibble
