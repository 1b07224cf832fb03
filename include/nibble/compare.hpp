// One model at several precisions, each measured in its own process: size, memory, speed, quality, and the same answer.
//
// Threads: compare() forks, so only a process that has no second thread may call it. Everything else: any number.
// Implemented in src/measure/compare.cpp; the reports in compare_text.cpp, compare_json.cpp and compare_html.cpp there.
#pragma once

#include "nibble/bench.hpp"
#include "nibble/evaluate.hpp"
#include "nibble/generate.hpp"
#include "nibble/memory_report.hpp"
#include "nibble/provenance.hpp"
#include "nibble/text_layout.hpp"

namespace nibble {

struct CompareOptions {
  // Empty: what default_precisions() says. KL is measured from the files as they are (of files that are not quantized:
  // from the widest precision that holds all of them), which are measured as well where no such one is named.
  std::vector<QuantizationConfig> precisions = {};
  std::string text = {};  // evaluated; must not be empty
  std::int64_t max_eval_tokens = 4096;
  std::int64_t context = 0, stride = 0;  // of the evaluation, as in EvaluateOptions
  Bos bos = Bos::as_tokenizer;
  std::vector<Message> messages = {};  // answered greedily; if the model has no template, the last content is completed
  std::int64_t new_tokens = 100;
  std::int64_t prefill_tokens = 512, decode_tokens = 64;
  int repeats = 3;
  int threads = 0;
  std::string device_map = automatic;  // one of devices(), or automatic
  // Also write each quantized precision into a temporary folder (TMPDIR) and time loading that.
  bool stored_copies = false;
  std::vector<std::string> ignore_config = {}, ignore_tensors = {};
  std::function<void(const std::string& what, double done)> progress = {};  // done: between 0 and 1, of the whole
  std::function<bool()> stop = {};                                          // asked ten times a second
};

struct PrecisionResult {
  QuantizationConfig precision;  // of the files as they are: what they hold, by their own name
  bool stored = false;           // the files as they are
  std::string requantized_from;  // see Model::requantized_from()
  std::string error;             // not empty: why this precision was not measured; the rest is then meaningless
  std::uint64_t disk_bytes = 0;  // of the weight files in this precision: as they are, as written, or computed
  MemoryReport resident;
  MemoryCheck memory;                                        // as it was predicted and as it was measured
  std::uint64_t peak_anonymous = 0;                          // highest RssAnon + RssShmem of the process, bytes
  std::uint64_t peak_mapped = 0;                             // highest RssFile
  double load_seconds = 0;                                   // files opened until ready, quantizing included
  std::optional<double> stored_load_seconds;                 // the same from a folder that holds this precision already
  std::string stored_copy_problem;                           // why that was asked for and not measured, or empty
  double first_token_seconds = 0;                            // files opened until the first token of the answer
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;  // median of repeats, warm
  Repeats repeats;
  double perplexity = 0, mean_nll = 0;
  double perplexity_se = 0, mean_nll_se = 0;  // standard errors, see nibble/evaluate.hpp
  double bits_per_byte = 0;
  Divergence divergence;  // against the reference; zeros for itself
  std::string answer;
  double answer_seconds = 0;
};

struct Comparison {
  std::string model, machine, reference;
  std::uint64_t parameters = 0;
  std::uint64_t available_bytes = 0;  // memory that was free when it began; 0: unknown
  std::string recipe, prompt;
  std::int64_t predicted_tokens = 0, context = 0, stride = 0;  // of the evaluation
  bool bos = false;                                            // every window began with one
  bool chat = false;  // the prompt was put into the model's chat template; else it was continued
  std::vector<PrecisionResult> results;
  std::string busy;  // why the speeds say little ("bf16: ..."): the verdict then rests on sizes and quality; or empty
  Provenance provenance;  // its command is the caller's to tell
  std::string verdict;    // which precision to choose on this machine, and why
};

// Must be called before this process has started threads of its own: each precision runs in a forked child. A precision
// that fails, or that was not reached before `stop`, is a result with an error; only if none can be measured is the
// whole an error. A stored copy that cannot be written takes nothing but its own figure.
Result<Comparison> compare(const std::filesystem::path& model, const CompareOptions& options);

// As stored, then of a model that is not quantized every other precision, widest first; of one that is, int8, and nf4
// where that is smaller. Errors: those of opening the model.
Result<std::vector<QuantizationConfig>> default_precisions(const std::filesystem::path& model);

// Held-out prose (public domain), the default text to evaluate.
const std::string& held_out_text();

std::string to_table(const Comparison& comparison, const TextStyle& style = {});  // for a terminal
std::string to_markdown(const Comparison& comparison);
std::string to_json(const Comparison& comparison);
std::string to_html(const Comparison& comparison);  // one self-contained file with charts

}  // namespace nibble
