#include "measure/speed.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/thread_pool.hpp"
#include "formats/all.hpp"
#include "measure/repeats.hpp"

namespace nibble {
namespace {

constexpr std::int64_t most_parts = 4;

double median_of(const Rates& rates) {
  std::vector<double> all;
  for (const std::vector<double>& part : rates) all.insert(all.end(), part.begin(), part.end());
  return median(std::move(all));
}

// Takes the most likely token of every slice.
LogitsSink into(std::span<std::int32_t> next) {
  return [=](std::size_t slice, std::int64_t, std::span<const float> logits) {
    next[slice] = std::int32_t(std::max_element(logits.begin(), logits.end()) - logits.begin());
  };
}

// Prompts of seeded random ids, read and continued as often as asked.
class Work {
 public:
  static Result<Work> prepare(LoadedModel& model, std::int64_t prompt_tokens, std::int64_t new_tokens,
                              std::int64_t batch) {
    const ModelConfig& config = model.transformer->config();
    const std::int64_t capacity = prompt_tokens + new_tokens;
    if (capacity > config.max_positions)
      return error(Errc::bad_request, "{} tokens were asked for, the model was made for {}", capacity,
                   config.max_positions);
    NIBBLE_CHECK(model.plan({.context = capacity, .batch = batch, .tokens = std::max(prompt_tokens, batch)}));
    Work out(model);
    for (std::int64_t b = 0; b < batch; ++b) {
      NIBBLE_TRY(KvCache cache, model.make_cache(capacity));
      out.caches_.push_back(std::move(cache));
    }
    std::uint64_t state = 1;
    for (std::int64_t i = 0; i < prompt_tokens; ++i) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      out.prompt_.push_back(std::int32_t((state >> 33) % std::uint64_t(config.vocab_size)));
    }
    out.next_.resize(std::size_t(batch));
    return out;
  }
  // All prompts, one after the other, from an empty cache.
  Result<void> read() {
    for (std::size_t b = 0; b < caches_.size(); ++b) {
      caches_[b].truncate(0);
      const Slice slice{&caches_[b], prompt_, LogitsOf::last};
      NIBBLE_CHECK(model_.transformer->forward({&slice, 1}, into({&next_[b], 1})));
    }
    return {};
  }
  // So many tokens to each, together.
  Result<void> write(std::int64_t tokens) {
    for (std::int64_t step = 0; step < tokens; ++step) {
      std::vector<Slice> slices;
      for (std::size_t b = 0; b < caches_.size(); ++b) slices.push_back({&caches_[b], {&next_[b], 1}, LogitsOf::last});
      NIBBLE_CHECK(model_.transformer->forward(slices, into(next_)));
    }
    return {};
  }

 private:
  explicit Work(LoadedModel& model) : model_(model) {}
  LoadedModel& model_;
  std::vector<KvCache> caches_;
  std::vector<std::int32_t> prompt_, next_;
};

}  // namespace

std::uint64_t bytes_per_step(const LoadedModel& model) {
  const TransformerWeights& weights = model.transformer->weights();
  std::uint64_t bytes = (weights.head ? weights.head : weights.embedding)->canonical().bytes();
  for (const LayerWeights& layer : weights.layers)
    for (const Linear& linear : layer.linears)
      if (linear.weight) bytes += linear.weight->canonical().bytes();
  return bytes;
}

Result<Speed> measure_speed(LoadedModel& model, std::int64_t prompt_tokens, std::int64_t new_tokens, std::int64_t batch,
                            int repeats) {
  if (prompt_tokens < 1 || new_tokens < 1 || batch < 1 || repeats < 1)
    return error(Errc::bad_request, "prompt tokens, new tokens, batch and repeats must be at least 1");
  NIBBLE_TRY(Work work, Work::prepare(model, prompt_tokens, new_tokens, batch));
  const std::int64_t parts = std::min(most_parts, new_tokens);
  Rates prefill(1), decode(static_cast<std::size_t>(parts));
  ProcessorTime before;
  double begun = 0;
  for (int repeat = -1; repeat < repeats; ++repeat) {  // the first is for warming up
    if (repeat == 0) {
      before = processor_time();
      begun = now_seconds();
    }
    double start = now_seconds();
    const auto rate = [&](std::int64_t tokens) {
      const double since = std::exchange(start, now_seconds());
      return double(tokens * batch) / (start - since);
    };
    NIBBLE_CHECK(work.read());
    if (const double read = rate(prompt_tokens); repeat >= 0) prefill[0].push_back(read);
    for (std::int64_t part = 0; part < parts; ++part) {
      const std::int64_t count = new_tokens * (part + 1) / parts - new_tokens * part / parts;
      NIBBLE_CHECK(work.write(count));
      if (const double written = rate(count); repeat >= 0) decode[std::size_t(part)].push_back(written);
    }
  }
  const double available = (now_seconds() - begun) * std::min(model.threads, usable_cores());
  return Speed{median_of(prefill), median_of(decode),
               judge_repeats(prefill, decode, before, processor_time(), available)};
}

}  // namespace nibble
