#include "generate/batcher.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "generate/generation_config.hpp"

namespace nibble {

Batcher::Batcher(LoadedModel& model) : model_(model) {
  if (auto tokenizer = model.tokenizer()) tokenizer_ = std::move(tokenizer).value();
  ends_ = end_tokens(model, tokenizer_.get());
}

Result<std::int64_t> Batcher::capacity_of(const SequenceRequest& request) const {
  if (request.max_new_tokens < 1)
    return error(Errc::bad_request, "max new tokens is {}, expected at least 1", request.max_new_tokens);
  NIBBLE_CHECK(check(request.sampling));
  if (request.prompt.empty())
    return error(Errc::bad_request,
                 "the prompt is empty and the tokenizer adds no BOS, so there is nothing to continue; give it a word");
  const auto tokens = std::int64_t(request.prompt.size());
  const std::int64_t limit = model_.transformer->config().max_positions,
                     needed = std::min(tokens + request.max_new_tokens, limit),
                     asked = request.context > 0 ? request.context : needed,
                     capacity = request.cache ? request.cache->capacity() : asked;
  if (capacity > limit)
    return error(Errc::bad_request, "a context of {} tokens was asked for, the model was made for {}", capacity, limit);
  if (tokens >= capacity)
    return error(
        Errc::bad_request,
        "the prompt has {} tokens and the context holds {}, which leaves no room for an answer; shorten the prompt{}",
        tokens, capacity, capacity < limit ? " or ask for a longer context" : "");
  NIBBLE_CHECK(model_.transformer->check_ids(request.prompt));
  return capacity;
}

Batcher::Room Batcher::room_in_use() const {
  Room room;
  for (const auto& sequence : sequences_) {
    room.unread += std::int64_t(sequence->unread.size());
    if (!sequence->own_cache) continue;
    ++room.sequences;
    room.cached += sequence->cache->capacity();
  }
  return room;
}

Result<void> Batcher::plan(std::span<const SequenceRequest> requests) {
  const Room in_use = room_in_use();
  Room room = in_use;
  for (const SequenceRequest& request : requests) {
    NIBBLE_TRY(const std::int64_t capacity, capacity_of(request));
    room.unread += std::int64_t(request.prompt.size());
    if (request.cache) continue;
    ++room.sequences;
    room.cached += capacity;
  }
  const bool planned =
      room.sequences <= planned_.sequences && room.cached <= planned_.cached && room.unread <= planned_.unread;
  if (planned || room.sequences == in_use.sequences) return {};
  const Workload workload{.context = (room.cached + room.sequences - 1) / room.sequences,
                          .batch = room.sequences,
                          .tokens = room.unread,
                          .text = std::uint64_t(room.cached) * 8 * sizeof(std::int32_t)};
  NIBBLE_CHECK(model_.plan(workload, KvCache::bytes(model_.transformer->config(), model_.kv_dtype, in_use.cached)));
  planned_ = {std::max(room.sequences, planned_.sequences), std::max(room.cached, planned_.cached),
              std::max(room.unread, planned_.unread)};
  return {};
}

Result<SequenceId> Batcher::add(SequenceRequest request) {
  NIBBLE_CHECK(plan({&request, 1}));
  const bool own_cache = !request.cache;
  if (own_cache) {
    NIBBLE_TRY(const std::int64_t capacity, capacity_of(request));
    NIBBLE_TRY(KvCache cache, model_.make_cache(capacity));
    request.cache = std::make_shared<KvCache>(std::move(cache));
  }
  sequences_.push_back(std::make_unique<Sequence>(next_id_, std::move(request), own_cache, tokenizer_.get()));
  return next_id_++;
}

Result<std::vector<SequenceId>> Batcher::step(const std::function<bool()>& stop) {
  std::vector<Sequence*> active;
  std::vector<Slice> slices;
  for (const auto& sequence : sequences_) {
    if (!sequence->running) continue;
    active.push_back(sequence.get());
    slices.push_back({sequence->cache.get(), sequence->unread, LogitsOf::last});
  }
  const double start = now_seconds();
  const auto read = model_.transformer->forward(
      slices, [&](std::size_t slice, std::int64_t, std::span<const float> logits) { active[slice]->pick(logits); },
      stop);
  if (!read && read.error().code != Errc::cancelled) return read.error();
  const double end = read ? now_seconds() : start;

  std::vector<SequenceId> ended;
  std::optional<Error> not_numbers;  // one search through the weights explains all
  for (Sequence* sequence : active) {
    if (sequence->writer.out.ids.empty()) {
      sequence->started = start;
      sequence->prompt_read = end;
    }
    if (!read) {
      sequence->writer.out.stopped = StopReason::cancelled;
      sequence->end();
    } else if (!sequence->finite) {
      if (!not_numbers) not_numbers = model_.explain_nonfinite();
      sequence->error = not_numbers;
      sequence->running = false;
    } else {
      sequence->advance(ends_);
    }
    if (!sequence->running) ended.push_back(sequence->id);
  }
  return ended;
}

Result<Generation> Batcher::remove(SequenceId id) {
  const auto at = std::find_if(sequences_.begin(), sequences_.end(), [&](const auto& s) { return s->id == id; });
  NIBBLE_ASSERT(at != sequences_.end(), "a sequence is removed once");
  const std::unique_ptr<Sequence> sequence = std::move(*at);
  sequences_.erase(at);
  if (sequence->error) return *sequence->error;
  if (sequence->running) {
    sequence->writer.out.stopped = StopReason::cancelled;
    sequence->end();
  }
  return std::move(sequence->writer.out);
}

bool Batcher::running() const {
  return std::any_of(sequences_.begin(), sequences_.end(), [](const auto& s) { return s->running; });
}

}  // namespace nibble
