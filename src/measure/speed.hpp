// Prefill and decode rates of a loaded model, warm.
#pragma once

#include "engine/load.hpp"

namespace nibble {

struct Speed {
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;  // medians
};

// Seeded random ids; decode runs `batch` sequences together and counts all their tokens.
Result<Speed> measure_speed(LoadedModel& model, std::int64_t prompt_tokens, std::int64_t new_tokens, std::int64_t batch,
                            int repeats);

// Bytes of weights that one decode step reads.
std::uint64_t bytes_per_step(const LoadedModel& model);

}  // namespace nibble
