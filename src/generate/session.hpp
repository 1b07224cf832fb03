// What generation needs to know about a model besides its weights, read once: tokenizer, template, end tokens.
#pragma once

#include <memory>
#include <vector>

#include "engine/load.hpp"
#include "engine/rehearsal.hpp"
#include "nibble/generate.hpp"
#include "text/template/chat_template.hpp"
#include "text/tokenizer/tokenizer.hpp"

namespace nibble {

// The model's tokenizer, read by the first who asks.
Result<std::shared_ptr<const Tokenizer>> tokenizer_of(LoadedModel& model);

// Ids that end a text: eos_token_id of generation_config.json and config.json (one or a list), else the tokenizer's.
std::vector<std::int32_t> end_tokens(const LoadedModel& model, const Tokenizer* tokenizer);

// Plans a run. What this machine has no memory for is refused, with numbers and with settings that would fit.
Result<void> plan_run(LoadedModel& model, Workload workload);

// One sequence being generated.
struct Sequence {
  KvCache* cache = nullptr;
  std::vector<std::int32_t> unread;  // prompt tokens that the cache has not seen
  std::vector<std::int32_t> seen;    // everything, for the repetition penalty
};

// The loop itself: prefill every sequence, then decode all that have not ended in one batch.
Result<std::vector<Generation>> generate_sequences(LoadedModel& model, const Tokenizer* tokenizer,
                                                   std::vector<Sequence> sequences, const GenerateOptions& options);

// Non-finite logits: names the tensor that holds NaN or infinity, if one does.
Error explain_nonfinite(const LoadedModel& model);

}  // namespace nibble
