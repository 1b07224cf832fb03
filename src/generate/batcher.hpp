// A pool of sequences that share every pass over a model: each step reads what is unread and gives each sequence one
// more token. Sequences come and go between steps, and none sees the others.
#pragma once

#include "generate/sequence.hpp"

namespace nibble {

// Lives in one thread at a time, and no other may compute with the model during a call. After an exception (the pool's
// own is std::bad_alloc) it can only be destroyed.
class Batcher {
 public:
  // `model` outlives the pool.
  explicit Batcher(LoadedModel& model);

  // Plans the memory of such sequences beside those that are here, so that adding them plans nothing more. Errors:
  // bad_request (a request that add() would refuse), out_of_memory with settings that would fit.
  Result<void> plan(std::span<const SequenceRequest> requests);

  // bad_request: the request is wrong. out_of_memory: there is no room for its cache. Either leaves the pool as it was.
  // A cache that comes with the request was planned by whoever made it.
  Result<SequenceId> add(SequenceRequest request);

  // One more token for every sequence that runs. Returns those that ended, as they were added: with a text, or alone
  // with an error of their own. `stop` is asked before every pass; true ends all as cancelled. An error is the pool's
  // (out_of_memory): nothing was computed, and with fewer sequences a step may succeed.
  Result<std::vector<SequenceId>> step(const std::function<bool()>& stop = {});

  // Takes a sequence out, whose memory is free then: its text (cancelled, if it was still running) or its error.
  Result<Generation> remove(SequenceId id);

  bool running() const;  // whether a step has anything to do

 private:
  // What a plan has to hold: sequences with caches from here, tokens of these caches, tokens to be read at once.
  struct Room {
    std::int64_t sequences = 0, cached = 0, unread = 0;
  };
  // Checks a request; the tokens that its cache must hold.
  Result<std::int64_t> capacity_of(const SequenceRequest& request) const;
  Room room_in_use() const;

  LoadedModel& model_;
  std::shared_ptr<const Tokenizer> tokenizer_;  // null: the model has none
  std::vector<std::int32_t> ends_;
  std::vector<std::unique_ptr<Sequence>> sequences_;  // as they were added
  SequenceId next_id_ = 0;
  Room planned_;
};

}  // namespace nibble
