#include "generate/sequence.hpp"

#include <algorithm>

#include "base/clock.hpp"

namespace nibble {
namespace {

// Any NaN or infinity among the logits makes this sum of zeros NaN.
bool all_finite(std::span<const float> logits) {
  float sum = 0;
  for (const float x : logits) sum += x * 0.0f;
  return sum == 0.0f;
}

}  // namespace

Sequence::Sequence(SequenceId id, SequenceRequest request, bool own_cache, const Tokenizer* tokenizer)
    : id(id),
      cache(std::move(request.cache)),
      own_cache(own_cache),
      unread(request.prompt.begin() + std::ptrdiff_t(cache->length()), request.prompt.end()),
      seen(std::move(request.prompt)),
      sampler(request.sampling, request.stream),
      writer(tokenizer, request.stop_strings, std::move(request.on_text)),
      remaining(std::min(request.max_new_tokens, cache->capacity() - std::int64_t(seen.size()))),
      ignore_eos(request.ignore_eos),
      started(now_seconds()),
      prompt_read(started) {
  writer.out.prompt_tokens = std::int64_t(seen.size());
}

void Sequence::pick(std::span<const float> logits) {
  finite = all_finite(logits);
  if (finite) next = sampler.pick(logits, seen);
}

void Sequence::advance(std::span<const std::int32_t> ends) {
  unread.clear();
  if (!ignore_eos && std::find(ends.begin(), ends.end(), next) != ends.end()) {
    writer.out.ids.push_back(next);
    writer.out.stopped = StopReason::end_token;
    return end();
  }
  seen.push_back(next);
  unread.push_back(next);
  --remaining;
  if (!writer.push(next) || remaining == 0) end();
}

void Sequence::end() {
  running = false;
  if (writer.out.stopped != StopReason::cancelled) writer.finish();
  writer.out.prefill_seconds = prompt_read - started;
  writer.out.decode_seconds = now_seconds() - prompt_read;
}

}  // namespace nibble
