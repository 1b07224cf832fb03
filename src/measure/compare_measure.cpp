#include "measure/compare_measure.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/clock.hpp"
#include "generate/generation_config.hpp"
#include "measure/divergence.hpp"
#include "measure/evaluate_logits.hpp"
#include "measure/load_options.hpp"
#include "measure/speed.hpp"
#include "nibble/quantize.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

const char* default_prompt_for_prose = "It was a dark and stormy night";
const char* default_prompt_for_chat = "Explain in two sentences why the sky is blue.";

// Whether a text of this model ends with its end-of-turn token rather than with the end of a document.
bool ends_turns(LoadedModel& model) {
  const auto tokenizer = model.tokenizer();
  if (!tokenizer || model.checkpoint->chat_template().empty()) return false;
  const std::vector<std::int32_t> ends = end_tokens(model, tokenizer->get());
  return std::any_of(ends.begin(), ends.end(), [&](std::int32_t id) {
    const std::string token = (*tokenizer)->token(id);
    return token == "<|im_end|>" || token == "<|eot_id|>" || token == "<|end|>" || token == "<end_of_turn>" ||
           model.checkpoint->chat_template().find(token) != std::string::npos;
  });
}

// The prompt's ids. Without messages a model is asked what its kind can do: one that ends turns with a token of their
// own is spoken to, any other, or one whose template cannot be rendered, continues prose.
Result<std::vector<std::int32_t>> prompt_ids(const Model& model, const TextTokenizer& tokenizer,
                                             const CompareOptions& options, PrecisionReport& report) {
  if (model.has_chat_template() && (!options.messages.empty() || ends_turns(model.implementation()))) {
    const std::vector<Message> messages =
        options.messages.empty() ? std::vector<Message>{{"user", default_prompt_for_chat}} : options.messages;
    const auto rendered = render_chat(model, messages);
    if (!rendered && (!options.messages.empty() || rendered.error().code == Errc::out_of_memory))
      return rendered.error();
    if (rendered) {
      report.chat = true;
      report.prompt = messages.back().content;
      return tokenizer.encode(*rendered, false);
    }
  }
  report.prompt = options.messages.empty() ? default_prompt_for_prose : options.messages.back().content;
  return tokenizer.encode(report.prompt, true);
}

// Writes this precision where it will not stay, and loads it from there.
Result<void> measure_stored_copy(const fs::path& path, const fs::path& folder, const CompareOptions& options,
                                 PrecisionResult& out) {
  const fs::path copy = folder / "copy";
  QuantizeCheckpointOptions writing;
  writing.precision = out.precision;
  writing.threads = options.threads;
  writing.ignore_config = options.ignore_config;
  writing.ignore_tensors = options.ignore_tensors;
  writing.allow_requantize = true;  // a load at this precision rounds the same weights the same way
  NIBBLE_TRY(const QuantizeReport written, quantize_checkpoint(path, copy, writing));
  NIBBLE_TRY(const Model model, Model::load(copy, load_options(options)));
  out.disk_bytes = written.bytes_written;
  out.stored_load_seconds = model.load_seconds();
  return {};
}

// The first answer is not warm: a mapped weight is read from its file when it is used first.
Result<void> measure_answer(const Model& model, const TextTokenizer& tokenizer, const CompareOptions& options,
                            double start, PrecisionReport& report) {
  PrecisionResult& out = report.result;
  NIBBLE_TRY(const std::vector<std::int32_t> prompt, prompt_ids(model, tokenizer, options, report));
  GenerateOptions generation;
  generation.max_new_tokens = options.new_tokens;
  generation.on_text = [&, first = true](std::size_t, std::string_view) mutable {
    if (std::exchange(first, false)) out.first_token_seconds = now_seconds() - start;
    return true;
  };
  NIBBLE_TRY(const auto answers, generate_ids(model, {prompt}, generation));
  out.answer = answers.front().text;
  out.answer_seconds = answers.front().prefill_seconds + answers.front().decode_seconds;
  return {};
}

Result<void> measure_quality(const Model& model, const std::vector<std::int32_t>& ids, const CompareOptions& options,
                             bool is_reference, ReferenceLogits& logits, const Progress& progress,
                             PrecisionReport& report) {
  EvaluateOptions evaluation;
  evaluation.max_tokens = std::min<std::int64_t>(
      options.max_eval_tokens, std::int64_t(ReferenceLogits::budget / (std::uint64_t(model.vocabulary_size()) * 4)));
  evaluation.context = options.context;
  evaluation.stride = options.stride;
  evaluation.bos = options.bos;
  evaluation.progress = progress;
  DivergenceSum divergence;
  std::vector<float> expected(static_cast<std::size_t>(model.vocabulary_size()));
  NIBBLE_TRY(const Evaluation quality, evaluate_logits(model, ids, evaluation, [&](std::span<const float> row) {
               if (is_reference) return logits.write(row);
               logits.read(expected);
               divergence.add(expected, row);
             }));
  if (logits.failed())
    return error(Errc::io_failure, "cannot {} the reference's logits in the temporary folder, which needs {} MB",
                 is_reference ? "write" : "read", ReferenceLogits::budget >> 20);
  report.recipe = quality.recipe;
  report.predicted_tokens = std::int64_t(quality.tokens.size());
  report.context = quality.context;
  report.stride = quality.stride;
  report.bos = quality.bos;
  report.result.perplexity = quality.perplexity;
  report.result.mean_nll = quality.mean_nll;
  report.result.perplexity_se = quality.perplexity_se;
  report.result.mean_nll_se = quality.mean_nll_se;
  report.result.bits_per_byte = quality.bits_per_byte.value_or(0);
  report.result.divergence = is_reference ? Divergence{.top1_agreement = 1} : divergence.result();
  return {};
}

Result<void> measure_rates(const Model& model, const CompareOptions& options, PrecisionResult& out) {
  const std::int64_t limit = model.max_positions(), prefill = std::min(options.prefill_tokens, limit / 2),
                     decode = std::min(options.decode_tokens, limit - prefill);
  NIBBLE_TRY(const Speed speed, measure_speed(model.implementation(), prefill, decode, 1, options.repeats));
  out.prefill_tokens_per_s = speed.prefill_tokens_per_s;
  out.decode_tokens_per_s = speed.decode_tokens_per_s;
  out.repeats = speed.repeats;
  return {};
}

// What its weight files take: as they are, as they would be written, or as they were written just now.
Result<void> measure_disk(const fs::path& path, const Checkpoint& checkpoint, const CompareOptions& options,
                          const CopyFolder& copies, PrecisionResult& out) {
  NIBBLE_TRY(const QuantizationConfig stored, resolve_precision({}, checkpoint));
  const bool gguf = checkpoint.is_gguf(), as_stored = out.stored || (!gguf && stored.format == out.precision.format &&
                                                                     stored.double_quant == out.precision.double_quant);
  // Norms are held in fp32 and stored in 16 bits.
  out.disk_bytes =
      as_stored ? checkpoint.file_bytes() : out.resident.weights_total() - out.resident[Purpose::norms] / 2;
  if (!options.stored_copies || as_stored || gguf || !out.precision.quantized()) return {};
  const auto copied = measure_stored_copy(path, copies.path(), options, out);
  if (!copied && copied.error().code == Errc::out_of_memory) return copied.error();
  if (!copied) out.stored_copy_problem = copied.error().message;  // what was measured before stands
  return {};
}

}  // namespace

Result<CopyFolder> CopyFolder::create(bool wanted) {
  CopyFolder folder;
  if (!wanted) return folder;
  std::error_code ignored;
  std::string name = (fs::temp_directory_path(ignored) / "nibble-compare-XXXXXX").string();
  if (!::mkdtemp(name.data()))
    return error(Errc::io_failure, "cannot create a folder for the stored copy; set TMPDIR to one with space");
  folder.path_.swap(name);
  return folder;
}

Result<ReferenceLogits> ReferenceLogits::create() {
  std::FILE* file = std::tmpfile();
  if (!file)
    return error(Errc::io_failure,
                 "cannot create a temporary file for the reference's logits; is there space in the temporary folder?");
  return ReferenceLogits(file);
}

void ReferenceLogits::write(std::span<const float> logits) {
  failed_ = failed_ || ::pwrite(fileno(file_.get()), logits.data(), logits.size_bytes(), next(logits)) !=
                           ssize_t(logits.size_bytes());
}

void ReferenceLogits::read(std::span<float> logits) {
  failed_ = failed_ || ::pread(fileno(file_.get()), logits.data(), logits.size_bytes(), next(logits)) !=
                           ssize_t(logits.size_bytes());
}

Result<PrecisionReport> measure_precision(const fs::path& path, const QuantizationConfig& precision,
                                          const CompareOptions& options, bool is_reference, ReferenceLogits& logits,
                                          const CopyFolder& copies, const Progress& progress) {
  PrecisionReport report;
  const MemoryWatch watch;
  const double start = now_seconds();
  LoadOptions load = load_options(options, precision);
  load.progress = [&](double done) { progress(0.1 * done); };
  NIBBLE_TRY(const Model model, Model::load(path, load));
  const LoadedModel& loaded = model.implementation();
  PrecisionResult& out = report.result;
  out.precision = model.precision();
  out.stored = precision.format == Precision::stored;
  out.requantized_from = model.requantized_from();
  out.load_seconds = model.load_seconds();
  report.machine = model.device();
  report.instruction_set = loaded.backend->name();
  report.threads = loaded.threads;
  for (const ModuleSpec& module : list_modules(loaded.transformer->config())) report.parameters += module.elements();

  NIBBLE_TRY(const TextTokenizer tokenizer, model.tokenizer());
  NIBBLE_CHECK(measure_answer(model, tokenizer, options, start, report));
  progress(0.2);
  NIBBLE_CHECK(measure_quality(
      model, tokenizer.encode(options.text, false), options, is_reference, logits,
      [&](double done) { progress(0.2 + 0.5 * done); }, report));
  NIBBLE_CHECK(measure_rates(model, options, out));
  out.resident = model.memory();
  out.memory = watch.check({&model});
  out.peak_anonymous = out.memory.measured_peak;
  out.peak_mapped = out.memory.measured_mapped;
  NIBBLE_CHECK(measure_disk(path, *loaded.checkpoint, options, copies, out));
  progress(1);
  return report;
}

}  // namespace nibble
