#include "nibble/explain.hpp"

#include <algorithm>

#include "base/out_of_memory.hpp"
#include "engine/backends.hpp"
#include "engine/placement.hpp"
#include "formats/all.hpp"
#include "measure/subject.hpp"

namespace nibble {
namespace {

// No schedule begins at more rows than a pass has.
constexpr std::int64_t most_rows = 512;

ExplainedRows explain_rows(const Backend& backend, const PreparedWeight& weight, std::int64_t rows) {
  const std::vector<ProductChoice> considered = backend.explain(weight, rows);
  ExplainedRows out;
  out.from = out.to = rows;
  if (considered.empty()) {
    out.product = backend.name();
    return out;
  }
  const ProductChoice& taken = considered.back();
  out.product = taken.product;
  out.layout = taken.layout;
  out.instruction = name_of(taken.instruction);
  out.how = taken.schedule;
  for (const ProductChoice& choice : considered)
    if (!choice.why_not.empty()) out.refused.push_back({std::string(choice.product), std::string(choice.why_not)});
  return out;
}

bool alike(const ExplainedRows& a, const ExplainedRows& b) {
  return a.product == b.product && a.layout == b.layout && a.instruction == b.instruction && a.how == b.how;
}

ExplainedWeights explain_weight(const Backend& backend, const PreparedWeight& weight,
                                const std::vector<std::int64_t>& rows) {
  const Weight& w = weight.canonical();
  ExplainedWeights out;
  out.rows = w.rows;
  out.cols = w.cols;
  out.format = w.format;
  for (const std::int64_t count : rows) out.choices.push_back(explain_rows(backend, weight, count));
  if (!rows.empty()) return out;
  for (std::int64_t count = 1; count <= most_rows; ++count) {
    ExplainedRows next = explain_rows(backend, weight, count);
    if (!out.choices.empty() && alike(out.choices.back(), next))
      out.choices.back().to = count;
    else
      out.choices.push_back(std::move(next));
  }
  out.choices.back().to = 0;
  return out;
}

Result<void> check(const ExplainOptions& options) {
  for (const std::int64_t rows : options.rows)
    if (rows < 1) return error(Errc::bad_request, "{} rows of activations were asked for, expected 1 or more", rows);
  return options.precision.check();
}

Explanation described(const Backend& backend, const QuantizationConfig& asked, const QuantizationConfig& resolved) {
  Explanation out;
  out.precision = asked.format == Precision::stored ? "as stored" : asked.label();
  out.compute = name_of(precision_of(compute_dtype_of(resolved)));
  out.device = backend.name();
  return out;
}

// "q_proj", "lm_head".
std::string short_name(Part part) {
  const std::string_view name = name_of(part);
  return std::string(name.substr(name.rfind('.') + 1));
}

void add(Explanation& out, Part part, ExplainedWeights weight) {
  const auto same = std::find_if(out.weights.begin(), out.weights.end(), [&](const ExplainedWeights& other) {
    return other.rows == weight.rows && other.cols == weight.cols && other.format == weight.format &&
           std::equal(other.choices.begin(), other.choices.end(), weight.choices.begin(), weight.choices.end(), alike);
  });
  if (same == out.weights.end()) {
    weight.parts.push_back(short_name(part));
    out.weights.push_back(std::move(weight));
    return;
  }
  ++same->count;
  if (std::find(same->parts.begin(), same->parts.end(), short_name(part)) == same->parts.end())
    same->parts.push_back(short_name(part));
}

Result<Explanation> explain_opened(const std::filesystem::path& path, const ExplainOptions& options) {
  NIBBLE_CHECK(check(options));
  NIBBLE_TRY(const Subject subject, open_subject(path, options.ignore_config));
  NIBBLE_TRY(const ModelConfig config, read_model_config(subject.checkpoint->config(),
                                                         subject.checkpoint->path().string(), options.ignore_config));
  LoadOptions load;
  load.precision = options.precision;
  load.threads = options.threads;
  load.device_map = options.device_map;
  load.cpu_target = options.cpu_target;
  const Checkpoint* checkpoint = subject.has_weights ? subject.checkpoint.get() : nullptr;
  if (!checkpoint) {
    NIBBLE_TRY(load.precision, resolve_precision(options.precision, *subject.checkpoint));
  }
  NIBBLE_TRY(const CountedModel model, count_model(config, checkpoint, load, subject.unquantized_dtype));
  Explanation out = described(*model.backend, options.precision, model.precision);
  for (const ModuleSpec& module : list_modules(config))
    if (module.role == Role::linear)
      add(out, module.part,
          explain_weight(*model.backend, *model.weights.layers[std::size_t(module.layer)].linear(module.part).weight,
                         options.rows));
  const PreparedWeight& head = model.weights.head ? *model.weights.head : *model.weights.embedding;
  add(out, Part::head, explain_weight(*model.backend, head, options.rows));
  return out;
}

Result<Explanation> explain_one(std::int64_t rows, std::int64_t cols, const ExplainOptions& options) {
  NIBBLE_CHECK(check(options));
  if (options.precision.format == Precision::stored)
    return error(Errc::bad_request, "a weight of {} x {} has no precision of its own; name one, such as {}", rows, cols,
                 Bf16::name);
  constexpr std::int64_t most = std::int64_t(1) << 24;
  if (rows < 1 || cols < 1 || rows > most || cols > most)
    return error(Errc::bad_request, "a weight of {} x {} was asked for, expected 1 to {} rows and columns", rows, cols,
                 most);
  NIBBLE_TRY(const auto backend, make_backend({.device = options.device_map,
                                               .threads = options.threads,
                                               .cpu_target = options.cpu_target,
                                               .memory = std::make_shared<CountingAllocator>()}));
  Weight weight;
  weight.format = name_of(options.precision.format);
  weight.rows = rows;
  weight.cols = cols;
  weight.block_size = options.precision.block_size;
  const ComputeOptions compute{compute_dtype_of(options.precision), options.precision.int8_threshold};
  NIBBLE_TRY(const auto prepared, backend->prepare(weight, compute, Purpose::linear_weights));
  Explanation out = described(*backend, options.precision, options.precision);
  out.weights.push_back(explain_weight(*backend, *prepared, options.rows));
  return out;
}

}  // namespace

Result<Explanation> explain_model(const std::filesystem::path& path, const ExplainOptions& options) {
  return or_out_of_memory(path.native(), "explaining", [&] { return explain_opened(path, options); });
}

Result<Explanation> explain_shape(std::int64_t rows, std::int64_t cols, const ExplainOptions& options) {
  return or_out_of_memory("", "explaining", [&] { return explain_one(rows, cols, options); });
}

}  // namespace nibble
