// Out of memory as an answer: what a run needs, what there is, and settings that would fit, each of them rehearsed.
#pragma once

#include "engine/available_memory.hpp"
#include "engine/rehearsal.hpp"

namespace nibble {

// A model, how it was asked for, and what it should do.
struct Request {
  const ModelConfig& config;
  const Checkpoint* checkpoint;  // null: config.json alone
  const LoadOptions& options;
  DType unquantized_dtype;
  Workload workload;
};

// What the process takes beside the model: its tokenizer, stacks of its threads.
std::uint64_t bytes_beside(const ModelConfig& config, const LoadOptions& options);

// Own bytes at the highest, with what the process takes beside the model.
Result<std::uint64_t> bytes_needed(const Request& request);

// The request's plan; out_of_memory unless it fits into what is free and the `held` bytes that it holds already. The
// error names the limit that was short. Where nobody knows what is free, it fits.
Result<MemoryPlan> check_fits(const Request& request, const AvailableMemory& free, std::uint64_t held = 0);

// The same error where the system refused although the plan had said yes: with settings that need less than `limit`.
Error explain_refusal(const Error& refused, const Request& request, std::uint64_t limit);

std::string readable_bytes(std::uint64_t bytes);  // "12.3 MB", "4.56 GB"

}  // namespace nibble
