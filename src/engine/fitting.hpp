// Out of memory as an answer: what a run needs, what there is, and settings that would fit, each of them rehearsed.
#pragma once

#include "engine/rehearsal.hpp"

namespace nibble {

// A model, how it was asked for, and what it should do.
struct Request {
  const ModelConfig& config;
  const Checkpoint* checkpoint;  // null: config.json alone
  const LoadOptions& options;
  DType kept;
  Workload workload;
};

// Own bytes at the highest, with what the process will take beside the model: its tokenizer, stacks of its threads.
Result<std::uint64_t> bytes_needed(const Request& request);

// out_of_memory unless the request fits into `limit` bytes, of which it holds `held` already; a limit of 0: nobody
// knows, so it does.
Result<void> check_fits(const Request& request, std::uint64_t limit, std::uint64_t held = 0);

// The same error where the system refused although the plan had said yes: with settings that need less than `limit`.
Error explain_refusal(const Error& refused, const Request& request, std::uint64_t limit);

std::string readable_bytes(std::uint64_t bytes);  // "12.3 MB", "4.56 GB"

}  // namespace nibble
