// Perplexity and divergence. Both are sums over positions of numbers that come from one row of logits, so nothing is
// kept but those numbers; with a reference, two models run window by window side by side.
#include "nibble/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/clock.hpp"
#include "base/out_of_memory.hpp"
#include "engine/loaded_model.hpp"
#include "io/safetensors.hpp"
#include "measure/divergence.hpp"
#include "measure/evaluate_logits.hpp"
#include "text/tokenizer/tokenizer.hpp"

namespace nibble {
namespace {

struct Window {
  std::vector<std::int32_t> ids;
  std::int64_t scored_from = 1;  // index of the first id that is predicted
};

struct Plan {
  std::vector<Window> windows;
  std::int64_t context = 0;
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
  std::vector<std::int32_t> text = ids;
  if (plan.bos && !text.empty() && text.front() == *bos) text.erase(text.begin());  // every window gets its own
  if (options.max_tokens > 0 && std::int64_t(text.size()) > options.max_tokens)
    text.resize(std::size_t(options.max_tokens));

  // Window w scores [w * stride, ...) and sees up to `room` ids that end there.
  const auto count = std::int64_t(text.size());
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t end = std::min(done == 0 ? room : done + stride, count),
                       begin = std::max<std::int64_t>(0, stride == room ? done : end - room);
    Window window;
    window.ids.reserve(std::size_t(end - begin) + 1);
    if (plan.bos) window.ids.push_back(*bos);
    for (std::int64_t i = begin; i < end; ++i) window.ids.push_back(text[std::size_t(i)]);
    window.scored_from = std::max<std::int64_t>(1, done - begin + (plan.bos ? 1 : 0));
    done = end;
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

// A model, and the cache that it reads windows into.
struct Reader {
  LoadedModel* model;
  KvCache cache;

  static Result<Reader> create(LoadedModel& model, const Plan& plan) {
    NIBBLE_TRY(KvCache cache, model.make_cache(plan.context));
    return Reader{&model, std::move(cache)};
  }
  // Logits of what a window predicts, position by position.
  template <class Visit>
  Result<void> read(const Window& window, const EvaluateOptions& options, Visit visit) {
    cache.truncate(0);
    const Slice slice{&cache, window.ids, LogitsOf::all};
    return model->transformer->forward(
        {&slice, 1},
        [&](std::size_t, std::int64_t position, std::span<const float> logits) {
          if (position + 1 >= window.scored_from && position + 1 < std::int64_t(window.ids.size()))
            visit(position, logits);
        },
        options.stop);
  }
};

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

// What evaluating takes, window after window, and what it finds.
struct Scoring {
  Reader model;
  std::optional<Reader> reference;
  Buffer expected;  // the reference's logits of one window wait here for the model's
  std::optional<LogitsFile> file;
  const LogitsVisitor& visit;
  Evaluation out = {};
  DivergenceSum divergence = {};

  Result<void> score(const Window& window, const EvaluateOptions& options) {
    std::size_t end = 0, at = 0;  // in `expected`
    if (reference)
      NIBBLE_CHECK(reference->read(window, options, [&](std::int64_t, std::span<const float> logits) {
        std::copy(logits.begin(), logits.end(), expected.as<float>() + end);
        end += logits.size();
      }));
    return model.read(window, options, [&](std::int64_t position, std::span<const float> logits) {
      const std::int32_t target = window.ids[std::size_t(position + 1)];
      out.tokens.push_back({target, negative_log_likelihood(logits, target)});
      if (reference) divergence.add({expected.as<float>() + at, logits.size()}, logits);
      at += logits.size();
      if (file) file->add(logits);
      if (visit) visit(logits);
    });
  }
};

Result<Scoring> prepare(LoadedModel& model, LoadedModel* reference, const Plan& plan, std::size_t ids,
                        const EvaluateOptions& options, const LogitsVisitor& visit) {
  const std::int64_t vocabulary = model.transformer->config().vocab_size;
  const std::size_t waiting = reference ? std::size_t(plan.context * vocabulary) * sizeof(float) : 0;
  // A loss and an id for each that is predicted; what finding the ids took is not all given back.
  const std::size_t text = ids * 6 * sizeof(std::int32_t) + plan.predicted * (sizeof(TokenLoss) + sizeof(std::int32_t));
  NIBBLE_CHECK(model.plan({.context = plan.context, .all_logits = true, .workspace = waiting, .text = text}));
  if (reference) NIBBLE_CHECK(reference->plan({.context = plan.context, .all_logits = true}));
  NIBBLE_TRY(Buffer expected, Buffer::take(model.backend->memory(), waiting, Purpose::workspace));
  NIBBLE_TRY(Reader reader, Reader::create(model, plan));
  std::optional<Reader> reference_reader;
  if (reference) {
    NIBBLE_TRY(reference_reader, Reader::create(*reference, plan));
  }
  NIBBLE_TRY(std::optional<LogitsFile> file, LogitsFile::create(options, plan, vocabulary));
  Scoring scoring{std::move(reader), std::move(reference_reader), std::move(expected), std::move(file), visit};
  scoring.out.tokens.reserve(plan.predicted);
  return scoring;
}

Result<Evaluation> run(const Model& handle, const Model* reference_handle, const std::vector<std::int32_t>& ids,
                       const EvaluateOptions& options, const LogitsVisitor& visit) {
  const double start = now_seconds();
  LoadedModel& model = handle.implementation();
  LoadedModel* reference = reference_handle ? &reference_handle->implementation() : nullptr;
  const std::int64_t vocabulary = handle.vocabulary_size();
  if (reference && reference_handle->vocabulary_size() != vocabulary)
    return error(Errc::bad_request,
                 "the model has a vocabulary of {}, the reference one of {}; their predictions cannot be compared",
                 vocabulary, reference_handle->vocabulary_size());
  NIBBLE_TRY(const Plan plan, plan_windows(model, ids, options));
  NIBBLE_TRY(Scoring scoring, prepare(model, reference, plan, ids.size(), options, visit));
  for (std::size_t w = 0; w < plan.windows.size(); ++w) {
    NIBBLE_CHECK(scoring.score(plan.windows[w], options));
    if (options.progress) options.progress(double(w + 1) / double(plan.windows.size()));
  }
  Evaluation& out = scoring.out;
  double sum = 0;
  for (const TokenLoss& token : out.tokens) sum += token.nll;
  out.mean_nll = sum / double(out.tokens.size());
  if (!std::isfinite(out.mean_nll)) return model.explain_nonfinite();
  out.perplexity = std::exp(out.mean_nll);
  out.windows = std::int64_t(plan.windows.size());
  out.context = plan.context;
  out.bos = plan.bos;
  out.recipe = plan.recipe;
  if (reference) out.divergence = scoring.divergence.result();
  if (scoring.file) NIBBLE_CHECK(scoring.file->commit());  // last: nothing can fail behind it
  out.seconds = now_seconds() - start;
  return std::move(out);
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
