// One model at several precisions, each measured in its own process: size, memory, speed, quality, and the same answer.
#pragma once

#include "nibble/evaluate.hpp"
#include "nibble/generate.hpp"

namespace nibble {

struct CompareOptions {
  std::vector<QuantizationConfig> precisions;  // the first of the widest kind is the reference of KL
  std::string text;                            // evaluated; must not be empty
  std::int64_t max_eval_tokens = 4096;
  std::vector<Message> messages;  // answered greedily; if the model has no template, the last content is completed
  std::int64_t new_tokens = 100;
  std::int64_t prefill_tokens = 512, decode_tokens = 64;
  int repeats = 3;
  int threads = 0;
  std::vector<std::string> ignore_config;
  std::function<void(const std::string& what, double done)> progress;
};

struct PrecisionResult {
  QuantizationConfig precision;
  std::string error;             // not empty: this precision failed, the rest is meaningless
  std::uint64_t disk_bytes = 0;  // of a checkpoint in this precision
  MemoryReport resident;
  std::uint64_t peak_anonymous = 0;  // highest RssAnon + RssShmem of the process, bytes
  std::uint64_t peak_mapped = 0;     // highest RssFile
  double load_seconds = 0;
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;  // median of repeats, warm
  double perplexity = 0, mean_nll = 0;
  Divergence divergence;  // against the reference; zeros for itself
  std::string answer;
  double answer_seconds = 0;
};

struct Comparison {
  std::string model, machine, reference;
  std::uint64_t parameters = 0;
  std::string recipe, prompt;
  std::vector<PrecisionResult> results;
  std::string verdict;  // which precision to choose on this machine, and why
};

// Must be called before this process has started threads of its own: each precision runs in a forked child.
Result<Comparison> compare(const std::filesystem::path& model, const CompareOptions& options);

// Held-out prose (public domain), the default text to evaluate.
const std::string& held_out_text();

std::string to_table(const Comparison& comparison);  // for a terminal
std::string to_markdown(const Comparison& comparison);
std::string to_json(const Comparison& comparison);
std::string to_html(const Comparison& comparison);  // one self-contained file with charts

}  // namespace nibble
