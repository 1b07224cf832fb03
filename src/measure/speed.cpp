#include "measure/speed.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "formats/all.hpp"

namespace nibble {
namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// Takes the most likely token of every slice.
LogitsSink into(std::span<std::int32_t> next) {
  return [=](std::size_t slice, std::int64_t, std::span<const float> logits) {
    next[slice] = std::int32_t(std::max_element(logits.begin(), logits.end()) - logits.begin());
  };
}

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
  const ModelConfig& config = model.transformer->config();
  const std::int64_t capacity = prompt_tokens + new_tokens;
  if (prompt_tokens < 1 || new_tokens < 1 || batch < 1 || repeats < 1)
    return error(Errc::bad_request, "prompt tokens, new tokens, batch and repeats must be at least 1");
  if (capacity > config.max_positions)
    return error(Errc::bad_request, "{} tokens were asked for, the model was made for {}", capacity,
                 config.max_positions);
  NIBBLE_CHECK(model.plan({.context = capacity, .batch = batch, .tokens = std::max(prompt_tokens, batch)}));
  std::vector<KvCache> caches;
  for (std::int64_t b = 0; b < batch; ++b) {
    NIBBLE_TRY(KvCache cache, model.make_cache(capacity));
    caches.push_back(std::move(cache));
  }
  std::vector<std::int32_t> prompt(static_cast<std::size_t>(prompt_tokens));
  std::uint64_t state = 1;
  for (std::int32_t& id : prompt) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    id = std::int32_t((state >> 33) % std::uint64_t(config.vocab_size));
  }

  std::vector<double> prefill, decode;
  std::vector<std::int32_t> next(static_cast<std::size_t>(batch), 0);
  for (int repeat = -1; repeat < repeats; ++repeat) {  // the first is for warming up
    const double start = now_seconds();
    for (std::size_t b = 0; b < caches.size(); ++b) {
      caches[b].truncate(0);
      const Slice slice{&caches[b], prompt, LogitsOf::last};
      NIBBLE_CHECK(model.transformer->forward({&slice, 1}, into({&next[b], 1})));
    }
    const double prefilled = now_seconds();
    for (std::int64_t step = 0; step < new_tokens; ++step) {
      std::vector<Slice> slices;
      for (std::size_t b = 0; b < caches.size(); ++b) slices.push_back({&caches[b], {&next[b], 1}, LogitsOf::last});
      NIBBLE_CHECK(model.transformer->forward(slices, into(next)));
    }
    const double end = now_seconds();
    if (repeat < 0) continue;
    prefill.push_back(double(prompt_tokens * batch) / (prefilled - start));
    decode.push_back(double(new_tokens * batch) / (end - prefilled));
  }
  return Speed{median(prefill), median(decode)};
}

}  // namespace nibble
