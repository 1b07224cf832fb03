// Prefill and decode rates of a loaded model, warm.
#pragma once

#include "engine/load.hpp"
#include "nibble/bench.hpp"

namespace nibble {

struct Speed {
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;  // medians
  Repeats repeats;
};

// Seeded random ids; decode runs `batch` sequences together and counts all their tokens. Each repeat's decode is timed
// in up to four parts, so that there are several short measurements instead of one long one.
Result<Speed> measure_speed(LoadedModel& model, std::int64_t prompt_tokens, std::int64_t new_tokens, std::int64_t batch,
                            int repeats);

// Bytes of weights that one decode step reads.
std::uint64_t bytes_per_step(const LoadedModel& model);

}  // namespace nibble
