// Each precision lives and dies in its own process, so that its memory is its own; what it learned comes back through a
// pipe.
#include "nibble/compare.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "generate/session.hpp"
#include "measure/compare_json.hpp"
#include "measure/divergence.hpp"
#include "measure/evaluate_logits.hpp"
#include "measure/process_memory.hpp"
#include "measure/speed.hpp"

namespace nibble {
namespace {

constexpr std::uint64_t logits_budget = std::uint64_t(256) << 20;  // bytes of reference logits on disk
const char* default_prompt_for_prose = "It was a dark and stormy night";
const char* default_prompt_for_chat = "Explain in two sentences why the sky is blue.";

// What the reference predicted, in an unlinked file: written by the first child, read by the others.
class ReferenceLogits {
 public:
  static Result<ReferenceLogits> create() {
    std::FILE* file = std::tmpfile();
    if (!file)
      return error(Errc::io_failure,
                   "cannot create a temporary file for the reference's logits; set TMPDIR to a folder with space");
    return ReferenceLogits(file);
  }
  void write(std::span<const float> logits) {
    failed_ = failed_ ||
              ::pwrite(fileno(file_), logits.data(), logits.size_bytes(), next(logits)) != ssize_t(logits.size_bytes());
  }
  void read(std::span<float> logits) {
    failed_ = failed_ ||
              ::pread(fileno(file_), logits.data(), logits.size_bytes(), next(logits)) != ssize_t(logits.size_bytes());
  }
  bool failed() const { return failed_; }

 private:
  explicit ReferenceLogits(std::FILE* file) : file_(file) {}
  off_t next(std::span<const float> logits) { return std::exchange(offset_, offset_ + off_t(logits.size_bytes())); }
  std::FILE* file_;  // lives as long as the process
  off_t offset_ = 0;
  bool failed_ = false;
};

// What a child sends home.
struct Report {
  PrecisionResult result;
  std::string machine, recipe, prompt;
};

// Whether a text of this model ends with its end-of-turn token rather than with the end of a document.
bool ends_turns(const LoadedModel& model) {
  const auto tokenizer = tokenizer_of(model);
  if (!tokenizer || model.checkpoint->chat_template().empty()) return false;
  const std::vector<std::int32_t> ends = end_tokens(model, tokenizer->get());
  return std::any_of(ends.begin(), ends.end(), [&](std::int32_t id) {
    const std::string token = (*tokenizer)->token(id);
    return token == "<|im_end|>" || token == "<|eot_id|>" || token == "<|end|>" || token == "<end_of_turn>" ||
           model.checkpoint->chat_template().find(token) != std::string::npos;
  });
}

Result<void> answer(const Model& model, const CompareOptions& options, Report& report) {
  GenerateOptions generation;
  generation.max_new_tokens = options.new_tokens;
  // Without messages a model is asked what its kind can do: one that ends turns with a token of their own is spoken to,
  // any other continues prose.
  const bool chat = model.has_chat_template() && (!options.messages.empty() || ends_turns(model.implementation()));
  std::vector<Message> messages = options.messages;
  if (messages.empty()) messages.push_back({"user", chat ? default_prompt_for_chat : default_prompt_for_prose});
  std::string prompt = report.prompt = messages.back().content;
  if (chat) {
    NIBBLE_TRY(prompt, render_chat(model, messages));
  }
  NIBBLE_TRY(const TextTokenizer tokenizer, model.tokenizer());
  NIBBLE_TRY(const auto generations, generate_ids(model, {tokenizer.encode(prompt, !chat)}, generation));
  report.result.answer = generations.front().text;
  report.result.answer_seconds = generations.front().prefill_seconds + generations.front().decode_seconds;
  return {};
}

Result<Report> measure(const std::filesystem::path& path, const QuantizationConfig& precision,
                       const CompareOptions& options, bool reference, ReferenceLogits& logits) {
  Report report;
  PeakMemory peak;
  LoadOptions load;
  load.precision = precision, load.threads = options.threads, load.ignore_config = options.ignore_config;
  NIBBLE_TRY(const Model model, Model::load(path, load));
  LoadedModel& loaded = model.implementation();
  PrecisionResult& out = report.result;
  out.precision = model.precision(), out.load_seconds = model.load_seconds();
  report.machine = model.device();

  NIBBLE_TRY(const TextTokenizer tokenizer, model.tokenizer());
  EvaluateOptions evaluation;
  evaluation.max_tokens = std::min<std::int64_t>(
      options.max_eval_tokens, std::int64_t(logits_budget / (std::uint64_t(model.vocabulary_size()) * sizeof(float))));
  DivergenceSum divergence;
  std::vector<float> expected(static_cast<std::size_t>(model.vocabulary_size()));
  NIBBLE_TRY(const Evaluation quality,
             evaluate_logits(model, tokenizer.encode(options.text), evaluation, [&](std::span<const float> row) {
               if (reference) return logits.write(row);
               logits.read(expected);
               divergence.add(expected, row);
             }));
  if (logits.failed())
    return error(Errc::io_failure,
                 "cannot {} the reference's logits in the temporary folder; set TMPDIR to a folder with {} MB of space",
                 reference ? "write" : "read", logits_budget >> 20);
  out.perplexity = quality.perplexity, out.mean_nll = quality.mean_nll, report.recipe = quality.recipe;
  out.divergence = reference ? Divergence{0, 0, 0, 1} : divergence.result();

  const std::int64_t limit = model.max_positions(), prompt = std::min(options.prefill_tokens, limit / 2),
                     decode = std::min(options.decode_tokens, limit - prompt);
  NIBBLE_TRY(const Speed speed, measure_speed(loaded, prompt, decode, 1, options.repeats));
  out.prefill_tokens_per_s = speed.prefill_tokens_per_s, out.decode_tokens_per_s = speed.decode_tokens_per_s;
  NIBBLE_CHECK(answer(model, options, report));

  out.resident = model.memory();
  NIBBLE_TRY(const QuantizationConfig stored, resolve_precision({}, *loaded.checkpoint));
  const bool as_stored = !loaded.checkpoint->is_gguf() && stored.format == out.precision.format &&
                         stored.double_quant == out.precision.double_quant;
  // Norms are held in fp32 and stored in 16 bits.
  out.disk_bytes = as_stored ? loaded.checkpoint->file_bytes() : out.resident.weights_total() - out.resident.norms / 2;
  out.peak_anonymous = peak.peak().anonymous, out.peak_mapped = peak.peak().mapped;
  return report;
}

// Runs measure() in a child and reads what it sends.
Result<Report> measure_apart(const std::filesystem::path& path, const QuantizationConfig& precision,
                             const CompareOptions& options, bool reference, ReferenceLogits& logits) {
  int ends[2];
  if (::pipe(ends) != 0) return error(Errc::io_failure, "cannot create a pipe");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return error(Errc::io_failure, "cannot start a process");
  if (child == 0) {
    ::close(ends[0]);
    const auto report = measure(path, precision, options, reference, logits);
    Json message;
    if (report)
      message = {{"result", to_json_object(report->result)},
                 {"machine", report->machine},
                 {"recipe", report->recipe},
                 {"prompt", report->prompt}};
    else
      message = {{"error", report.error().message}, {"code", int(report.error().code)}};
    const std::string text = message.dump(-1, ' ', false, Json::error_handler_t::replace);
    for (std::size_t sent = 0; sent < text.size();) {
      const ssize_t count = ::write(ends[1], text.data() + sent, text.size() - sent);
      if (count <= 0) ::_exit(1);
      sent += std::size_t(count);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[65536];
  for (ssize_t count; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, std::size_t(count));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (text.empty())
    return error(Errc::internal, "the process that measured {} ended without an answer ({} {})", precision.label(),
                 WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  NIBBLE_TRY(const Json message, parse_json(text, "measuring process"));
  if (message.contains("error")) return Error{Errc(message["code"].get<int>()), message["error"].get<std::string>()};
  Report report;
  report.result = result_from_json(message["result"]);
  report.machine = message["machine"], report.recipe = message["recipe"], report.prompt = message["prompt"];
  return report;
}

// Widest first: what the others are measured against.
int width(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return 0;
    case Precision::bf16:
      return 1;
    case Precision::fp16:
      return 2;
    case Precision::int8:
      return 3;
    case Precision::nf4:
      return 4;
    default:
      return 5;
  }
}

std::string choose(const Comparison& comparison) {
  const PrecisionResult* reference = nullptr;
  for (const PrecisionResult& r : comparison.results)
    if (r.precision.label() == comparison.reference) reference = &r;
  if (!reference) return {};
  const PrecisionResult* best = nullptr;
  const PrecisionResult* smallest = nullptr;
  for (const PrecisionResult& r : comparison.results) {
    if (!r.error.empty()) continue;
    if (r.perplexity <= reference->perplexity * 1.01 && (!best || r.decode_tokens_per_s > best->decode_tokens_per_s))
      best = &r;
    if (!smallest || r.resident.weights_total() < smallest->resident.weights_total()) smallest = &r;
  }
  const auto cost = [&](const PrecisionResult& r) { return 100 * (r.perplexity / reference->perplexity - 1); };
  std::string text = fmt::format(
      "On this machine take {}: its perplexity is within 1 % of {} ({:+.2f} %), and of those it generates fastest, "
      "{:.0f} tokens/s with {:.1f} MB of weights.",
      best->precision.label(), comparison.reference, cost(*best), best->decode_tokens_per_s,
      double(best->resident.weights_total()) / 1e6);
  if (smallest != best)
    text += fmt::format(
        " If memory is short take {}: {:.1f} MB of weights, {:.0f} tokens/s, and a perplexity {:.1f} % {}.",
        smallest->precision.label(), double(smallest->resident.weights_total()) / 1e6, smallest->decode_tokens_per_s,
        std::abs(cost(*smallest)), cost(*smallest) >= 0 ? "higher" : "lower");
  return text;
}

}  // namespace

Result<Comparison> compare(const std::filesystem::path& path, const CompareOptions& options) {
  if (options.precisions.empty())
    return error(Errc::bad_request, "no precision was named; choose some of fp32, bf16, fp16, int8, nf4, fp4");
  if (options.text.empty()) return error(Errc::bad_request, "the text to evaluate is empty");
  NIBBLE_TRY(const auto checkpoint, Checkpoint::open(path));
  Comparison comparison;
  comparison.model = path.string();
  for (const CheckpointTensor& tensor : checkpoint->tensors()) comparison.parameters += tensor.elements();

  std::vector<std::size_t> order(options.precisions.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return width(options.precisions[a].format) < width(options.precisions[b].format);
  });
  comparison.results.resize(order.size());
  comparison.reference = options.precisions[order.front()].label();
  NIBBLE_TRY(ReferenceLogits logits, ReferenceLogits::create());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const QuantizationConfig& precision = options.precisions[order[i]];
    if (options.progress) options.progress(precision.label(), double(i) / double(order.size()));
    auto report = measure_apart(path, precision, options, i == 0, logits);
    PrecisionResult& slot = comparison.results[order[i]];
    if (!report) {
      if (i == 0) return report.error();  // without a reference there is nothing to compare with
      slot.precision = precision, slot.error = report.error().message;
      continue;
    }
    slot = std::move(report->result);
    comparison.machine = report->machine, comparison.recipe = report->recipe, comparison.prompt = report->prompt;
  }
  if (options.progress) options.progress("done", 1);
  comparison.verdict = choose(comparison);
  return comparison;
}

}  // namespace nibble
