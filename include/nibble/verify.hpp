// Checking what quantize_checkpoint() wrote against the receipt it left inside.
//
// Threads: any number.
// Implemented in src/engine/verify.cpp.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "nibble/model.hpp"

namespace nibble {

struct VerifyOptions {
  int threads = 0;
  Progress progress = {};
};

struct VerifyReport {
  std::string recipe, source_type, version;  // "q4_k_m", made from "bf16", by Nibble "0.1.0"
  std::size_t tensors = 0;                   // whose hashes were computed
  std::size_t files = 0;                     // beside them, whose hashes were computed: config.json, the tokenizer's;
                                             // of a GGUF file 1, its metadata. 0: the receipt does not tell of any
  std::size_t compared = 0;                  // weights whose error was computed anew from the source
  double worst_error = 0;                    // as the receipt has it: see QuantizeReport
  std::string worst_tensor;
  std::vector<std::string> problems;  // a sentence each; empty: everything is as it was written
};

// Computes the hash of every tensor and of every small file that decides what a model says; with `source`, also that
// the source is the very one and that each error is what the receipt says. A file that is not as it was written is a
// report with problems, not an error. Errors: those of opening the files; unsupported if there is no receipt.
Result<VerifyReport> verify_checkpoint(const std::filesystem::path& out,
                                       const std::optional<std::filesystem::path>& source = {},
                                       const VerifyOptions& options = {});

}  // namespace nibble
