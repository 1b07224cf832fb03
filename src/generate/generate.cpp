#include <algorithm>
#include <cmath>

#include "base/clock.hpp"
#include "base/out_of_memory.hpp"
#include "generate/sampler.hpp"
#include "generate/session.hpp"
#include "generate/stop_strings.hpp"

namespace nibble {
namespace {

// The text side of one sequence: ids to characters, stop strings, what the caller sees.
struct Writer {
  Writer(std::size_t index, const Tokenizer* tokenizer, const GenerateOptions& options)
      : index(index), options(options), stops(options.stop_strings) {
    if (tokenizer) decoder.emplace(*tokenizer);
  }
  // False: the sequence ends here.
  bool push(std::int32_t id) {
    out.ids.push_back(id);
    return !decoder || show(stops.push(decoder->push(id)));
  }
  void finish() {
    if (!decoder) return;
    show(stops.push(decoder->flush()));
    show(stops.flush());
  }
  bool show(const std::string& text) {
    out.text += text;
    if (!text.empty() && options.on_text && !options.on_text(index, text))
      return out.stopped = StopReason::cancelled, false;
    if (stops.found()) return out.stopped = StopReason::stop_string, false;
    return true;
  }

  std::size_t index;
  const GenerateOptions& options;
  std::optional<StreamDecoder> decoder;
  StopStrings stops;
  Generation out;
};

Result<void> check_options(const GenerateOptions& options) {
  if (options.max_new_tokens < 1)
    return error(Errc::bad_request, "max new tokens is {}, expected at least 1", options.max_new_tokens);
  return check(options.sampling);
}

// Any NaN or infinity among the logits makes this sum of zeros NaN.
bool all_finite(std::span<const float> logits) {
  float sum = 0;
  for (const float x : logits) sum += x * 0.0f;
  return sum == 0.0f;
}

}  // namespace

Result<std::vector<Generation>> generate_sequences(LoadedModel& model, const Tokenizer* tokenizer,
                                                   std::vector<Sequence> sequences, const GenerateOptions& options) {
  NIBBLE_CHECK(check_options(options));
  const std::vector<std::int32_t> ends =
      options.ignore_eos ? std::vector<std::int32_t>() : end_tokens(model, tokenizer);
  std::vector<Sampler> samplers;
  std::vector<Writer> writers;
  writers.reserve(sequences.size());
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    // Draws are those the sequence would have alone; a prompt given again has draws of its own.
    const auto twins = std::count_if(sequences.begin(), sequences.begin() + std::ptrdiff_t(i),
                                     [&](const Sequence& other) { return other.seen == sequences[i].seen; });
    samplers.emplace_back(options.sampling, std::uint64_t(twins));
    writers.emplace_back(i, tokenizer, options);
    writers.back().out.prompt_tokens = std::int64_t(sequences[i].unread.size());
  }

  // `active[i]` is the sequence behind slice i of the current pass.
  std::vector<std::size_t> active(sequences.size());
  for (std::size_t i = 0; i < active.size(); ++i) active[i] = i;
  const double start = now_seconds();
  double prefilled = start;
  bool finite = true;
  for (std::int64_t produced = 0; !active.empty() && produced < options.max_new_tokens; ++produced) {
    std::vector<Slice> slices;
    for (const std::size_t s : active) slices.push_back({sequences[s].cache, sequences[s].unread, LogitsOf::last});
    std::vector<std::int32_t> next(active.size(), -1);
    const auto pick = [&](std::size_t slice, std::int64_t, std::span<const float> logits) {
      const std::size_t s = active[slice];
      next[slice] = samplers[s].pick(logits, sequences[s].seen);
      finite = finite && all_finite(logits);
    };
    if (auto read = model.transformer->forward(slices, pick, options.stop); !read) {
      if (read.error().code != Errc::cancelled) return read.error();
      for (const std::size_t s : active) writers[s].out.stopped = StopReason::cancelled;
      break;
    }
    if (!finite) return explain_nonfinite(model);
    if (produced == 0) prefilled = now_seconds();

    std::vector<std::size_t> still;
    for (std::size_t i = 0; i < active.size(); ++i) {
      const std::size_t s = active[i];
      Sequence& sequence = sequences[s];
      sequence.unread.clear();
      if (std::find(ends.begin(), ends.end(), next[i]) != ends.end()) {
        writers[s].out.ids.push_back(next[i]);
        writers[s].out.stopped = StopReason::end_token;
        continue;
      }
      sequence.seen.push_back(next[i]);
      sequence.unread.push_back(next[i]);
      if (writers[s].push(next[i])) still.push_back(s);
    }
    active = std::move(still);
  }
  std::vector<Generation> results;
  const double end = now_seconds();
  for (Writer& writer : writers) {
    if (writer.out.stopped != StopReason::cancelled) writer.finish();
    writer.out.prefill_seconds = prefilled - start, writer.out.decode_seconds = end - prefilled;
    results.push_back(std::move(writer.out));
  }
  return results;
}

std::string_view name_of(StopReason reason) {
  constexpr std::string_view names[] = {"length", "end_token", "stop_string", "cancelled"};
  return names[int(reason)];
}

namespace {

Result<std::vector<Generation>> generate_all(const Model& handle, const std::vector<std::vector<std::int32_t>>& prompts,
                                             const GenerateOptions& options) {
  NIBBLE_CHECK(check_options(options));
  LoadedModel& model = handle.implementation();
  const auto tokenizer = tokenizer_of(model);
  std::vector<std::int64_t> capacities;
  std::int64_t cached = 0, read = 0;
  for (const std::vector<std::int32_t>& prompt : prompts) {
    if (prompt.empty())
      return error(
          Errc::bad_request,
          "the prompt is empty and the tokenizer adds no BOS, so there is nothing to continue; give it a word");
    const std::int64_t limit = model.transformer->config().max_positions;
    const std::int64_t needed = std::int64_t(prompt.size()) + options.max_new_tokens,
                       capacity = options.context > 0 ? options.context : std::min(needed, limit);
    if (capacity > limit)
      return error(Errc::bad_request, "a context of {} tokens was asked for, the model was made for {}", capacity,
                   limit);
    if (std::int64_t(prompt.size()) >= capacity)
      return error(
          Errc::bad_request,
          "the prompt has {} tokens and the context holds {}, which leaves no room for an answer; shorten the prompt{}",
          prompt.size(), capacity, capacity < limit ? " or ask for a longer context" : "");
    capacities.push_back(capacity);
    cached += capacity, read += std::int64_t(prompt.size());
  }
  if (prompts.empty()) return std::vector<Generation>();
  const auto count = std::int64_t(prompts.size());
  NIBBLE_CHECK(plan_run(model, {.context = (cached + count - 1) / count,
                                .batch = count,
                                .tokens = read,
                                .text = std::uint64_t(cached) * 8 * sizeof(std::int32_t)}));
  std::vector<KvCache> caches;
  std::vector<Sequence> sequences;
  caches.reserve(prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    NIBBLE_TRY(KvCache cache,
               KvCache::create(model.transformer->config(), *model.backend, model.kv_dtype, capacities[i]));
    caches.push_back(std::move(cache));
    sequences.push_back({&caches.back(), prompts[i], prompts[i]});
  }
  GenerateOptions bounded = options;
  for (const Sequence& sequence : sequences)
    bounded.max_new_tokens =
        std::min(bounded.max_new_tokens, sequence.cache->capacity() - std::int64_t(sequence.unread.size()));
  return generate_sequences(model, tokenizer ? tokenizer->get() : nullptr, std::move(sequences), bounded);
}

}  // namespace

Result<std::vector<Generation>> generate_ids(const Model& model, const std::vector<std::vector<std::int32_t>>& prompts,
                                             const GenerateOptions& options) {
  return or_out_of_memory("", "generating", [&] { return generate_all(model, prompts, options); });
}

Result<std::vector<Generation>> generate(const Model& model, const std::vector<std::string>& prompts,
                                         const GenerateOptions& options) {
  return or_out_of_memory("", "generating", [&]() -> Result<std::vector<Generation>> {
    NIBBLE_TRY(const auto tokenizer, tokenizer_of(model.implementation()));
    std::vector<std::vector<std::int32_t>> ids;
    for (const std::string& prompt : prompts) ids.push_back(tokenizer->encode(prompt));
    return generate_all(model, ids, options);
  });
}

}  // namespace nibble
