// Perplexity and divergence. Both are sums over positions of numbers that come from one row of logits, so nothing is
// kept but those numbers; with a reference, two models run window by window side by side.
#include "nibble/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/clock.hpp"
#include "base/out_of_memory.hpp"
#include "engine/loaded_model.hpp"
#include "io/safetensors.hpp"
#include "measure/divergence.hpp"
#include "measure/evaluate_logits.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {
namespace {

struct Window {
  std::vector<std::int32_t> ids;
  std::int64_t scored_from = 1;  // index of the first id that is predicted
};

struct Plan {
  std::vector<Window> windows;
  std::int64_t context = 0, stride = 0;
  std::size_t predicted = 0;  // ids, of all windows
  bool bos = false;
  std::string recipe;
};

Result<Plan> plan_windows(LoadedModel& model, const std::vector<std::int32_t>& ids, const EvaluateOptions& options) {
  Plan plan;
  const std::int64_t limit = model.transformer->config().max_positions;
  plan.context = options.context ? options.context : std::min<std::int64_t>(limit, 2048);
  if (plan.context < 2 || plan.context > limit)
    return error(Errc::bad_request, "a context of {} tokens was asked for, expected 2 to {}", plan.context, limit);
  std::optional<std::int32_t> bos;
  if (options.bos != Bos::never) {
    const auto tokenizer = model.tokenizer();
    if (tokenizer && (options.bos == Bos::always || (*tokenizer)->adds_bos())) bos = (*tokenizer)->bos();
    if (options.bos == Bos::always && !bos)
      return error(Errc::bad_request, "a BOS was asked for, but the tokenizer has none");
  }
  plan.bos = bos.has_value();
  const std::int64_t room = plan.context - (plan.bos ? 1 : 0), stride = options.stride ? options.stride : room;
  if (stride < 1 || stride > room)
    return error(Errc::bad_request, "a stride of {} was asked for, expected 1 to {}", stride, room);
  plan.stride = stride;
  std::vector<std::int32_t> text = ids;
  if (plan.bos && !text.empty() && text.front() == *bos) text.erase(text.begin());  // every window gets its own
  if (options.max_tokens > 0 && std::int64_t(text.size()) > options.max_tokens)
    text.resize(std::size_t(options.max_tokens));

  // Window w scores [w * stride, ...) and sees up to `room` ids that end there.
  const auto count = std::int64_t(text.size());
  for (std::int64_t scored = 0; scored < count;) {
    const std::int64_t end = std::min(scored == 0 ? room : scored + stride, count),
                       begin = std::max<std::int64_t>(0, stride == room ? scored : end - room);
    Window window;
    window.ids.reserve(std::size_t(end - begin) + 1);
    if (plan.bos) window.ids.push_back(*bos);
    for (std::int64_t i = begin; i < end; ++i) window.ids.push_back(text[std::size_t(i)]);
    window.scored_from = std::max<std::int64_t>(1, scored - begin + (plan.bos ? 1 : 0));
    scored = end;
    if (std::int64_t(window.ids.size()) <= window.scored_from) continue;
    plan.predicted += window.ids.size() - std::size_t(window.scored_from);
    plan.windows.push_back(std::move(window));
  }
  if (plan.windows.empty()) return error(Errc::bad_request, "the text has {} tokens, too few to predict one", count);
  plan.recipe = fmt::format(
      "{} window{} of at most {} tokens{}, {}, every token but the first of a window predicted, natural logarithm",
      plan.windows.size(), plan.windows.size() == 1 ? "" : "s", plan.context,
      stride == room ? std::string(" without overlap") : fmt::format(" with stride {}", stride),
      plan.bos ? "a BOS in front of each" : "no BOS added");
  return plan;
}

// Streams logits to a safetensors file as they come.
class LogitsFile {
 public:
  static Result<std::optional<LogitsFile>> create(const EvaluateOptions& options, const Plan& plan,
                                                  std::int64_t vocabulary) {
    if (options.logits_file.empty()) return std::optional<LogitsFile>();
    std::vector<std::int64_t> ids;
    for (const Window& window : plan.windows)
      for (std::size_t i = std::size_t(window.scored_from); i < window.ids.size(); ++i) ids.push_back(window.ids[i]);
    const auto count = std::int64_t(ids.size());
    NIBBLE_TRY(SafetensorsWriter writer, SafetensorsWriter::create(options.logits_file,
                                                                   {{"target_ids", DType::i64, {count}},
                                                                    {"logits", DType::f32, {count, vocabulary}}},
                                                                   {{"recipe", plan.recipe}}));
    NIBBLE_CHECK(writer.write(std::as_bytes(std::span(ids))));
    return std::optional<LogitsFile>(LogitsFile(std::move(writer)));
  }
  void add(std::span<const float> logits) {
    if (state_) state_ = writer_.write(std::as_bytes(logits));
  }
  Result<void> commit() {
    NIBBLE_CHECK(std::move(state_));
    return writer_.commit();
  }

 private:
  explicit LogitsFile(SafetensorsWriter writer) : writer_(std::move(writer)) {}
  SafetensorsWriter writer_;
  Result<void> state_;
};

// A model, and the cache that it reads windows into.
struct Reader {
  LoadedModel& model;
  KvCache cache;

  // Logits of what a window predicts, position by position.
  template <class Visit>
  Result<void> read(const Window& window, const EvaluateOptions& options, Visit visit) {
    cache.truncate(0);
    const Slice slice{&cache, window.ids, LogitsOf::all};
    const auto sink = [&](std::size_t, std::int64_t position, std::span<const float> logits) {
      const std::int64_t target = position + 1;
      if (target >= window.scored_from && target < std::int64_t(window.ids.size()))
        visit(window.ids[std::size_t(target)], logits);
    };
    return model.transformer->forward({&slice, 1}, sink, options.stop);
  }
};

// What is found, window after window.
struct Scores {
  std::vector<TokenLoss> tokens;
  std::vector<double> of_reference;  // the same tokens' losses there
  DivergenceSum divergence;
  std::optional<LogitsFile> file;
};

// `expected`: room for the reference's logits of one window.
Result<void> score(const Window& window, Reader& model, Reader* reference, float* expected,
                   const EvaluateOptions& options, const LogitsVisitor& visit, Scores& scores) {
  float* end = expected;
  if (reference)
    NIBBLE_CHECK(reference->read(window, options, [&](std::int32_t, std::span<const float> logits) {
      end = std::copy(logits.begin(), logits.end(), end);
    }));
  const float* at = expected;
  return model.read(window, options, [&](std::int32_t target, std::span<const float> logits) {
    scores.tokens.push_back({target, negative_log_likelihood(logits, target)});
    if (reference) {
      const std::span<const float> expected_here(std::exchange(at, at + logits.size()), logits.size());
      scores.of_reference.push_back(negative_log_likelihood(expected_here, target));
      scores.divergence.add(expected_here, logits);
    }
    if (scores.file) scores.file->add(logits);
    if (visit) visit(logits);
  });
}

// Bytes of the text that the predicted tokens stand for; 0 if nobody has asked for the tokenizer.
std::size_t predicted_bytes(const LoadedModel& model, const Plan& plan) {
  if (!model.has_read_tokenizer()) return 0;
  const auto tokenizer = model.tokenizer();
  if (!tokenizer) return 0;
  std::size_t bytes = 0;
  for (const Window& window : plan.windows) {
    const std::span<const std::int32_t> all(window.ids);
    bytes += (*tokenizer)->decode(all).size() - (*tokenizer)->decode(all.first(std::size_t(window.scored_from))).size();
  }
  return bytes;
}

ReferencePerplexity perplexity_of_reference(const Scores& scores) {
  const MeanAndError loss = mean_and_error(scores.of_reference);
  std::vector<double> differences;
  differences.reserve(scores.tokens.size());
  for (std::size_t i = 0; i < scores.tokens.size(); ++i)
    differences.push_back(scores.tokens[i].nll - scores.of_reference[i]);
  const MeanAndError difference = mean_and_error(differences);
  const double perplexity = std::exp(loss.mean), ratio = std::exp(difference.mean);
  return {perplexity, perplexity * loss.error, ratio, ratio * difference.error};
}

Result<Evaluation> evaluation_of(Scores scores, const LoadedModel& model, const Plan& plan) {
  Evaluation out;
  std::vector<double> losses;
  losses.reserve(scores.tokens.size());
  for (const TokenLoss& token : scores.tokens) losses.push_back(token.nll);
  const MeanAndError loss = mean_and_error(losses);
  if (!std::isfinite(loss.mean)) return model.explain_nonfinite();
  out.mean_nll = loss.mean;
  out.mean_nll_se = loss.error;
  out.perplexity = std::exp(loss.mean);
  out.perplexity_se = out.perplexity * loss.error;
  if (const std::size_t bytes = predicted_bytes(model, plan); bytes > 0)
    out.bits_per_byte = loss.mean * double(losses.size()) / std::numbers::ln2 / double(bytes);
  if (!scores.of_reference.empty()) {
    out.divergence = scores.divergence.result();
    out.reference = perplexity_of_reference(scores);
  }
  out.tokens = std::move(scores.tokens);
  out.windows = std::int64_t(plan.windows.size());
  out.context = plan.context;
  out.stride = plan.stride;
  out.bos = plan.bos;
  out.recipe = plan.recipe;
  if (scores.file) NIBBLE_CHECK(scores.file->commit());  // last: nothing can fail behind it
  return out;
}

Result<Evaluation> run(const Model& handle, const Model* reference_handle, const std::vector<std::int32_t>& ids,
                       const EvaluateOptions& options, const LogitsVisitor& visit) {
  const double start = now_seconds();
  LoadedModel& model = handle.implementation();
  LoadedModel* other = reference_handle ? &reference_handle->implementation() : nullptr;
  const std::int64_t vocabulary = handle.vocabulary_size();
  if (other && reference_handle->vocabulary_size() != vocabulary)
    return error(Errc::bad_request,
                 "the model has a vocabulary of {}, the reference one of {}; their predictions cannot be compared",
                 vocabulary, reference_handle->vocabulary_size());
  NIBBLE_TRY(const Plan plan, plan_windows(model, ids, options));
  // The reference's logits of one window wait for the model's.
  const std::size_t waiting = other ? std::size_t(plan.context * vocabulary) * sizeof(float) : 0;
  // A loss, alone and with its id, for each that is predicted; what finding the ids took is not all given back.
  const std::size_t text = ids.size() * 6 * sizeof(std::int32_t) +
                           plan.predicted * (sizeof(TokenLoss) + sizeof(double) + sizeof(std::int32_t));
  NIBBLE_CHECK(model.plan({.context = plan.context, .all_logits = true, .workspace = waiting, .text = text}));
  if (other) NIBBLE_CHECK(other->plan({.context = plan.context, .all_logits = true}));
  NIBBLE_TRY(const Buffer expected, Buffer::take(model.backend->memory(), waiting, Purpose::workspace));
  NIBBLE_TRY(KvCache cache, model.make_cache(plan.context));
  Reader reader{model, std::move(cache)};
  std::optional<Reader> reference;
  if (other) {
    NIBBLE_TRY(KvCache beside, other->make_cache(plan.context));
    reference.emplace(Reader{*other, std::move(beside)});
  }
  Scores scores;
  NIBBLE_TRY(scores.file, LogitsFile::create(options, plan, vocabulary));
  scores.tokens.reserve(plan.predicted);
  if (other) scores.of_reference.reserve(plan.predicted);
  for (std::size_t w = 0; w < plan.windows.size(); ++w) {
    NIBBLE_CHECK(score(plan.windows[w], reader, reference ? &*reference : nullptr, expected.as<float>(), options, visit,
                       scores));
    if (options.progress) options.progress(double(w + 1) / double(plan.windows.size()));
  }
  NIBBLE_TRY(Evaluation out, evaluation_of(std::move(scores), model, plan));
  out.seconds = now_seconds() - start;
  return out;
}

}  // namespace

Result<Evaluation> evaluate(const Model& model, const std::vector<std::int32_t>& ids, const EvaluateOptions& options) {
  return or_out_of_memory("", "evaluating", [&] { return run(model, nullptr, ids, options, {}); });
}

Result<Evaluation> evaluate_against(const Model& model, const Model& reference, const std::vector<std::int32_t>& ids,
                                    const EvaluateOptions& options) {
  return or_out_of_memory("", "evaluating", [&] { return run(model, &reference, ids, options, {}); });
}

Result<Evaluation> evaluate_logits(const Model& model, const std::vector<std::int32_t>& ids,
                                   const EvaluateOptions& options, const LogitsVisitor& visit) {
  return run(model, nullptr, ids, options, visit);
}

}  // namespace nibble
