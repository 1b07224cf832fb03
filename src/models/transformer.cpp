#include "models/transformer.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace nibble {
namespace {

constexpr std::int64_t logits_rows = 32;  // rows of the head computed at once: a vocabulary of 150k costs 20 MB

}  // namespace

// Consecutive tokens of one slice inside one pass.
struct Transformer::Piece {
  std::size_t slice = 0;
  KvCache* cache = nullptr;
  std::int64_t first_token = 0;    // index inside the slice
  std::int64_t row = 0, rows = 0;  // rows of the activations
  std::int64_t past = 0;
  LogitsOf logits = LogitsOf::none;
};

Linear& linear_of(TransformerWeights& weights, std::string_view module) {
  const std::size_t number = std::string_view("model.layers.").size();
  LayerWeights& layer = weights.layers[std::size_t(std::stoll(std::string(module.substr(number))))];
  for (const auto& [name, slot] : {std::pair{"q_proj", &layer.q},
                                   {"k_proj", &layer.k},
                                   {"v_proj", &layer.v},
                                   {"o_proj", &layer.o},
                                   {"gate_proj", &layer.gate},
                                   {"up_proj", &layer.up},
                                   {"down_proj", &layer.down}})
    if (module.find(name) != std::string_view::npos) return *slot;
  NIBBLE_ASSERT(false, "every linear module of modules.cpp has a slot");
}

std::string name_of(Site site, std::int64_t layer) {
  constexpr std::string_view inside[] = {"input_layernorm output",
                                         "self_attn.q_proj output",
                                         "self_attn.k_proj output",
                                         "self_attn.v_proj output",
                                         "self_attn.o_proj input",
                                         "residual after attention",
                                         "post_attention_layernorm output",
                                         "mlp.gate_proj output",
                                         "mlp.up_proj output",
                                         "mlp.down_proj input",
                                         "output"};
  switch (site) {
    case Site::embedded:
      return "model.embed_tokens output";
    case Site::head_input:
      return "model.norm output";
    case Site::logits:
      return "lm_head output";
    default:
      return fmt::format("model.layers.{}{}{}", layer,
                         site == Site::after_mlp || site == Site::after_attention ? " " : ".",
                         inside[int(site) - int(Site::attention_input)]);
  }
}

std::uint64_t KvCache::bytes(const ModelConfig& config, DType dtype, std::int64_t capacity) {
  return std::uint64_t(2 * config.layers * config.kv_heads * config.head_dim) * std::uint64_t(capacity) *
         size_of(dtype);
}

Result<KvCache> KvCache::create(const ModelConfig& config, Allocator& memory, DType dtype, std::int64_t capacity) {
  KvCache cache;
  cache.dtype_ = dtype, cache.kv_heads_ = config.kv_heads, cache.head_dim_ = config.head_dim,
  cache.capacity_ = capacity;
  const std::size_t bytes = std::size_t(config.kv_heads * config.head_dim * capacity) * size_of(dtype);
  for (std::int64_t i = 0; i < 2 * config.layers; ++i) {
    NIBBLE_TRY(Buffer buffer, Buffer::take(memory, bytes, Purpose::kv_cache));
    cache.buffers_.push_back(std::move(buffer));
  }
  return cache;
}

CacheView KvCache::view(std::int64_t index) const {
  return {buffers_[std::size_t(index)].data(), dtype_, kv_heads_, capacity_, head_dim_};
}

Result<std::unique_ptr<Transformer>> Transformer::create(ModelConfig config, std::vector<double> rope_factors,
                                                         Backend& backend, TransformerWeights weights,
                                                         std::int64_t max_tokens) {
  std::unique_ptr<Transformer> model(new Transformer(std::move(config), backend, std::move(weights)));
  model->rope_factors_ = std::move(rope_factors);
  model->max_tokens_ = max_tokens;
  NIBBLE_CHECK(model->reserve_positions(std::min<std::int64_t>(model->config_.max_positions, 2048)));
  return model;
}

PassShape Transformer::shape_of(std::int64_t tokens, std::int64_t logits, std::int64_t positions) const {
  const std::int64_t rows = std::min(tokens, max_tokens_);
  return {rows, std::min({logits, rows, logits_rows}), positions};
}

Result<void> Transformer::reserve(const PassShape& shape) {
  Allocator& memory = backend_.memory();
  const std::size_t element = size_of(backend_.activation_dtype());
  const std::int64_t q = config_.heads * config_.head_dim, kv = config_.kv_heads * config_.head_dim;
  for (const auto& [buffer, cols] : {std::pair{&residual_, config_.hidden_size},
                                     {&normed_, config_.hidden_size},
                                     {&query_, q},
                                     {&key_, kv},
                                     {&value_, kv},
                                     {&attended_, q},
                                     {&gate_, config_.intermediate_size},
                                     {&up_, config_.intermediate_size}})
    NIBBLE_CHECK(buffer->grow(memory, std::size_t(shape.tokens * cols) * element, Purpose::activations));
  for (Buffer* buffer : {&ids_, &positions_})
    NIBBLE_CHECK(buffer->grow(memory, std::size_t(shape.tokens) * sizeof(std::int32_t), Purpose::activations));
  NIBBLE_CHECK(logits_.grow(memory, std::size_t(shape.logits * config_.vocab_size) * element, Purpose::activations));
  NIBBLE_CHECK(reserve_positions(shape.positions));
  reserved_ = {std::max(reserved_.tokens, shape.tokens), std::max(reserved_.logits, shape.logits),
               std::max(reserved_.positions, shape.positions)};
  return backend_.reserve(shape.tokens, shape.positions);
}

Result<void> Transformer::reserve_positions(std::int64_t positions) {
  if (positions <= rope_.positions) return {};
  // Doubled from 2048 on, so that a text which grows token by token makes few tables, and the same ones as a long text.
  const auto doubled = std::int64_t(std::bit_ceil(std::uint64_t(std::max<std::int64_t>(positions, 2048))));
  positions = std::max(positions, std::min(doubled, config_.max_positions));
  const RopeFrequencies rope = rope_frequencies(config_);
  const std::int64_t half = config_.head_dim / 2;
  const std::size_t bytes = std::size_t(positions * half) * sizeof(float);
  rope_ = {};
  NIBBLE_CHECK(rope_cos_.grow(backend_.memory(), bytes, Purpose::buffers));
  NIBBLE_CHECK(rope_sin_.grow(backend_.memory(), bytes, Purpose::buffers));
  rope_ = {rope_cos_.as<float>(), rope_sin_.as<float>(), positions, half};
  if (backend_.memory().counts_only()) return {};
  const bool shared = backend_.shares_host_memory();
  std::vector<float> staged(shared ? 0 : std::size_t(2 * positions * half));
  float* cos = shared ? rope_cos_.as<float>() : staged.data();
  float* sin = shared ? rope_sin_.as<float>() : staged.data() + positions * half;
  for (std::int64_t position = 0; position < positions; ++position)
    for (std::int64_t i = 0; i < half; ++i) {
      const double frequency =
          rope.frequencies[std::size_t(i)] / (rope_factors_.empty() ? 1.0 : rope_factors_[std::size_t(i)]);
      const double angle = double(position) * frequency;
      cos[position * half + i] = float(std::cos(angle) * rope.attention_factor);
      sin[position * half + i] = float(std::sin(angle) * rope.attention_factor);
    }
  if (shared) return {};
  backend_.upload(cos, rope_cos_.data(), bytes);
  backend_.upload(sin, rope_sin_.data(), bytes);
  return {};
}

Result<void> Transformer::check_ids(std::span<const std::int32_t> ids) const {
  for (const std::int32_t id : ids)
    if (id < 0 || id >= config_.vocab_size)
      return error(Errc::bad_request,
                   "token id {} is outside the model's vocabulary of {}; tokenizer and model do not belong together",
                   id, config_.vocab_size);
  return {};
}

Result<void> Transformer::forward(std::span<const Slice> slices, const LogitsSink& sink,
                                  const std::function<bool()>& stop) {
  std::int64_t highest = 0, tokens = 0, logits = 0;
  for (const Slice& slice : slices) {
    const std::int64_t end = slice.cache->length() + std::int64_t(slice.tokens.size());
    if (end > slice.cache->capacity())
      return error(Errc::bad_request,
                   "{} tokens do not fit in a context of {}; shorten the text or ask for a longer context", end,
                   slice.cache->capacity());
    NIBBLE_CHECK(check_ids(slice.tokens));
    highest = std::max(highest, slice.cache->capacity());  // tables for all that may come are made once
    tokens += std::int64_t(slice.tokens.size());
    logits += slice.logits == LogitsOf::all    ? std::int64_t(slice.tokens.size())
              : slice.logits == LogitsOf::last ? 1
                                               : 0;
  }
  NIBBLE_CHECK(reserve(shape_of(tokens, logits, highest)));

  std::vector<Piece> pieces;
  std::int64_t rows = 0;
  const auto flush = [&]() -> Result<void> {
    if (pieces.empty()) return {};
    if (stop && stop()) return error(Errc::cancelled, "stopped");
    run_pass(pieces, rows);
    for (const Piece& piece : pieces) piece.cache->length_ += piece.rows;
    emit_logits(pieces, sink);
    pieces.clear(), host_ids_.clear(), host_positions_.clear(), rows = 0;
    return {};
  };
  host_ids_.clear(), host_positions_.clear();
  for (std::size_t s = 0; s < slices.size(); ++s) {
    const Slice& slice = slices[s];
    const auto count = std::int64_t(slice.tokens.size());
    for (std::int64_t first = 0; first < count;) {
      const std::int64_t take = std::min(count - first, max_tokens_ - rows), past = slice.cache->length();
      const bool ends = first + take == count;
      pieces.push_back({s, slice.cache, first, rows, take, past,
                        slice.logits == LogitsOf::last && !ends ? LogitsOf::none : slice.logits});
      for (std::int64_t i = 0; i < take; ++i)
        host_ids_.push_back(slice.tokens[std::size_t(first + i)]), host_positions_.push_back(std::int32_t(past + i));
      rows += take, first += take;
      if (rows == max_tokens_) NIBBLE_CHECK(flush());
    }
  }
  return flush();
}

void Transformer::run_pass(std::span<const Piece> pieces, std::int64_t tokens) {
  const DType type = backend_.activation_dtype();
  const TensorView residual(residual_.data(), type, tokens, config_.hidden_size);
  const std::size_t bytes = std::size_t(tokens) * sizeof(std::int32_t);
  backend_.upload(host_ids_.data(), ids_.data(), bytes);
  backend_.upload(host_positions_.data(), positions_.data(), bytes);
  backend_.embed(*weights_.embedding, {ids_.as<std::int32_t>(), std::size_t(tokens)}, residual);
  show(Site::embedded, 0, residual);
  for (std::int64_t layer = 0; layer < config_.layers; ++layer) {
    attend(weights_.layers[std::size_t(layer)], layer, pieces, tokens);
    feed_forward(weights_.layers[std::size_t(layer)], layer, tokens);
  }
}

void Transformer::attend(const LayerWeights& layer, std::int64_t index, std::span<const Piece> pieces,
                         std::int64_t tokens) {
  const DType type = backend_.activation_dtype();
  const std::int64_t kv = config_.kv_heads * config_.head_dim, all = config_.heads * config_.head_dim;
  const auto eps = float(config_.rms_norm_eps);
  const TensorView residual(residual_.data(), type, tokens, config_.hidden_size),
      normed(normed_.data(), type, tokens, config_.hidden_size);
  const TensorView q(query_.data(), type, tokens, all), k(key_.data(), type, tokens, kv),
      v(value_.data(), type, tokens, kv);
  const TensorView attended(attended_.data(), type, tokens, all);

  backend_.rms_norm(residual, layer.input_norm, eps, normed);
  show(Site::attention_input, index, normed);
  backend_.linear(*layer.q.weight, normed, q, layer.q.bias, false);
  backend_.linear(*layer.k.weight, normed, k, layer.k.bias, false);
  backend_.linear(*layer.v.weight, normed, v, layer.v.bias, false);
  show(Site::query, index, q), show(Site::key, index, k), show(Site::value, index, v);
  if (config_.qk_norm) {
    backend_.rms_norm(q, layer.q_norm, eps, q);
    backend_.rms_norm(k, layer.k_norm, eps, k);
  }
  backend_.rope(q, positions(tokens), rope_);
  backend_.rope(k, positions(tokens), rope_);

  std::vector<AttentionProblem> problems;
  for (const Piece& piece : pieces) {
    AttentionProblem problem;
    problem.q = q.rows_from(piece.row, piece.rows), problem.k = k.rows_from(piece.row, piece.rows),
    problem.v = v.rows_from(piece.row, piece.rows);
    problem.out = attended.rows_from(piece.row, piece.rows);
    problem.keys = piece.cache->keys(index), problem.values = piece.cache->values(index);
    problem.past = piece.past, problem.heads = config_.heads, problem.window = config_.windows[std::size_t(index)];
    problem.scale = float(1.0 / std::sqrt(double(config_.head_dim)));
    problems.push_back(problem);
  }
  backend_.attention(problems);
  show(Site::attended, index, attended);
  backend_.linear(*layer.o.weight, attended, residual, layer.o.bias, true);
  show(Site::after_attention, index, residual);
}

void Transformer::feed_forward(const LayerWeights& layer, std::int64_t index, std::int64_t tokens) {
  const DType type = backend_.activation_dtype();
  const TensorView residual(residual_.data(), type, tokens, config_.hidden_size),
      normed(normed_.data(), type, tokens, config_.hidden_size);
  const TensorView gate(gate_.data(), type, tokens, config_.intermediate_size),
      up(up_.data(), type, tokens, config_.intermediate_size);
  backend_.rms_norm(residual, layer.post_attention_norm, float(config_.rms_norm_eps), normed);
  show(Site::mlp_input, index, normed);
  backend_.linear(*layer.gate.weight, normed, gate, layer.gate.bias, false);
  backend_.linear(*layer.up.weight, normed, up, layer.up.bias, false);
  show(Site::gate, index, gate), show(Site::up, index, up);
  backend_.silu_mul(gate, up, gate);
  show(Site::mlp_product, index, gate);
  backend_.linear(*layer.down.weight, gate, residual, layer.down.bias, true);
  show(Site::after_mlp, index, residual);
}

void Transformer::emit_logits(std::span<const Piece> pieces, const LogitsSink& sink) {
  const DType type = backend_.activation_dtype();
  const PreparedWeight& head = weights_.head ? *weights_.head : *weights_.embedding;
  struct Wanted {
    std::size_t slice;
    std::int64_t position, row;
  };
  std::vector<Wanted> wanted;
  for (const Piece& piece : pieces)
    for (std::int64_t i = piece.logits == LogitsOf::all ? 0 : piece.rows - 1;
         i < piece.rows && piece.logits != LogitsOf::none; ++i)
      wanted.push_back({piece.slice, piece.first_token + i, piece.row + i});

  for (std::size_t first = 0; first < wanted.size(); first += std::size_t(logits_rows)) {
    const auto count = std::int64_t(std::min(wanted.size() - first, std::size_t(logits_rows)));
    // Norms land in consecutive rows of normed_, so that the head sees one dense matrix.
    const TensorView normed(normed_.data(), type, count, config_.hidden_size),
        logits(logits_.data(), type, count, config_.vocab_size);
    for (std::int64_t i = 0; i < count; ++i)
      backend_.rms_norm(TensorView(residual_.data(), type, max_tokens_, config_.hidden_size)
                            .rows_from(wanted[first + std::size_t(i)].row, 1),
                        weights_.norm, float(config_.rms_norm_eps), normed.rows_from(i, 1));
    backend_.linear(head, normed, logits, nullptr, false);
    show(Site::head_input, 0, normed), show(Site::logits, 0, logits);
    const float* host = logits.row(0);
    if (backend_.shares_host_memory() && type == DType::f32) {
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
