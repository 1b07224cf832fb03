// One sequence that is being generated, with everything that is its own: nothing is shared but the passes.
#pragma once

#include <memory>

#include "engine/loaded_model.hpp"
#include "generate/sampler.hpp"
#include "generate/text_writer.hpp"

namespace nibble {

struct SequenceRequest {
  std::vector<std::int32_t> prompt;
  std::int64_t max_new_tokens = 128;
  std::int64_t context = 0;  // tokens of KV cache; 0: what prompt and max_new_tokens need
  Sampling sampling = {};
  std::uint64_t stream = 0;  // sequences of one seed that must not draw the same numbers have different ones
  std::vector<std::string> stop_strings = {};
  bool ignore_eos = false;
  TextWriter::OnText on_text = {};
  std::shared_ptr<KvCache> cache = {};  // one that has read the beginning of the prompt; null: it gets one
};

// Numbers of a pool's sequences: 0, 1, 2, ... in the order of adding.
using SequenceId = std::size_t;

struct Sequence {
  // `request.cache` is there by now; `own_cache`: it was made for this sequence alone.
  Sequence(SequenceId id, SequenceRequest request, bool own_cache, const Tokenizer* tokenizer);

  // What a pass found: the logits after the last token that was unread.
  void pick(std::span<const float> logits);
  // Takes in the token that was picked. `ends`: ids that end a text.
  void advance(std::span<const std::int32_t> ends);
  // Nothing follows. A text that was cut off (cancelled) shows nothing more.
  void end();

  SequenceId id;
  std::shared_ptr<KvCache> cache;
  bool own_cache;
  std::vector<std::int32_t> unread;  // tokens that the cache has not seen
  std::vector<std::int32_t> seen;    // everything, for the repetition penalty
  Sampler sampler;
  TextWriter writer;
  std::int64_t remaining;  // new tokens that may still come
  bool ignore_eos;
  bool running = true;
  std::int32_t next = -1;       // picked from the logits of the last pass
  bool finite = true;           // those logits were numbers
  std::optional<Error> error;   // what ended it, if it failed
  double started, prompt_read;  // by the clock: when its first pass began and when that was done
};

}  // namespace nibble
