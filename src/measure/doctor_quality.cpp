// What a precision costs in quality, per precision and per layer. Each linear layer in turn is held in the precision,
// everything else stays as stored with products in fp32, and the KL of the predictions from the reference is measured
// on a sample text. Nothing is modelled: this is the damage itself, through all that follows the layer, and since
// quantizing adds small independent errors the parts nearly add up to the whole.
#include <algorithm>
#include <cmath>

#include "base/out_of_memory.hpp"
#include "engine/trial_precision.hpp"
#include "measure/divergence.hpp"
#include "measure/doctor_findings.hpp"
#include "measure/doctor_sample.hpp"
#include "measure/evaluate_logits.hpp"

namespace nibble {
namespace {

constexpr std::uint64_t logits_budget = std::uint64_t(512) << 20;  // bytes of the reference's predictions
constexpr std::size_t kept_layers = 3;

// A pattern of --skip that matches this module alone.
std::string only(const std::string& module) {
  std::string pattern = "^";
  for (const char c : module) pattern += c == '.' ? std::string("\\.") : std::string(1, c);
  return pattern + "$";
}

// KL of many models from one: what depends on the reference alone is computed once, so that a position costs one
// exponential per token of the vocabulary. Probabilities are kept in fp32 and divided by their sum, which leaves them a
// distribution, each within 2^-24 of its value.
class Predictions {
 public:
  void add(std::span<const float> logits) {
    const double total = log_sum_exp(logits);
    Row row{probability_.size()};
    for (const float logit : logits) {
      const auto p = float(std::exp(double(logit) - total));
      probability_.push_back(p);
      row.sum += p;
      if (p > 0) row.p_log_p += double(p) * std::log(double(p));
    }
    rows_.push_back(row);
  }
  // Of the model that gives `logits` at this row.
  double kl(std::size_t index, std::span<const float> logits) const {
    const Row& row = rows_[index];
    const float* p = probability_.data() + row.first;
    double expected = 0;  // of the model's logits, under the reference
    for (std::size_t i = 0; i < logits.size(); ++i) expected += double(p[i]) * double(logits[i]);
    return std::max(0.0, (row.p_log_p - expected) / row.sum - std::log(row.sum) + log_sum_exp(logits));
  }

 private:
  struct Row {
    std::size_t first = 0;
    double sum = 0, p_log_p = 0;
  };
  std::vector<float> probability_;
  std::vector<Row> rows_;
};

class Examination {
 public:
  Examination(std::filesystem::path path, const ExamineOptions& options) : path_(std::move(path)), options_(options) {}

  Result<void> open_reference(QualityReport& report) {
    NIBBLE_TRY(const Model reference, Model::load(path_, reference_options(options_)));
    reference_ = std::make_unique<Model>(reference);
    LoadedModel& model = reference.implementation();
    if (model.precision.quantized())
      return error(Errc::unsupported,
                   "{}: stored in {}, so what quantizing cost can only be seen beside its original: nibble eval {} "
                   "--text FILE --reference ORIGINAL",
                   path_.string(), model.precision.label(), shell_word(path_.string()));
    NIBBLE_TRY(ids_, sample_tokens(model, options_));
    const std::uint64_t row = std::uint64_t(reference.vocabulary_size()) * sizeof(float);
    if (2 * ids_.size() * row > logits_budget)
      return error(Errc::bad_request,
                   "the predictions of {} tokens take {} MB with this vocabulary, more than the {} kept here; ask for "
                   "at most {} tokens",
                   ids_.size(), 2 * ids_.size() * row >> 20, logits_budget >> 20, logits_budget / row / 2);
    NIBBLE_TRY(const Evaluation seen,
               evaluate_logits(reference, ids_, evaluation(), [&](std::span<const float> logits) {
                 expected_.insert(expected_.end(), logits.begin(), logits.end());
                 predictions_.add(logits);
               }));
    report.perplexity = seen.perplexity;
    report.recipe = seen.recipe;
    report.tokens = std::int64_t(ids_.size());
    stored_ = model.precision;
    stored_.compute_dtype = Precision::stored;  // the row is what `run` holds
    report.reference = fmt::format("weights as stored ({}), products in fp32", stored_.label());
    return {};
  }

  // The file as it is, then what it could be held in instead, widest first; double quantization is shown on nf4.
  std::vector<QuantizationConfig> wholes() const {
    std::vector<QuantizationConfig> out = {{}};
    for (const FormatFacts& format : widest_first(precisions())) {
      if (format.bits < 32 && (is_quantized(stored_) || format.precision != stored_.format))
        out.emplace_back(format.precision);
      if (format.precision == Precision::nf4) out.push_back(QuantizationConfig::nf4({.double_quant = true}));
    }
    return out;
  }

  // The whole model, as `run --precision` holds it.
  Result<PrecisionQuality> whole(const QuantizationConfig& precision) {
    NIBBLE_CHECK(check_stop(options_));
    LoadOptions load = reference_options(options_);
    load.precision = precision;
    NIBBLE_TRY(const Model model, Model::load(path_, load));
    PrecisionQuality out;
    out.precision = precision;
    out.stored = precision.format == Precision::stored;
    if (out.stored) out.precision = stored_;
    out.requantizes = !model.requantized_from().empty();
    out.weight_bytes = model.memory().weights_total();
    NIBBLE_TRY(out.perplexity, distance(model, out.divergence));
    return out;
  }

  Result<std::vector<LayerQuality>> layers(const QuantizationConfig& precision, const Progress& progress) {
    LoadedModel& model = reference_->implementation();
    ThreadPool pool(model.threads);
    std::vector<ModuleSpec> linear = list_modules(model.transformer->config());
    std::erase_if(linear, [](const ModuleSpec& module) { return module.role != Role::linear; });
    std::vector<LayerQuality> out;
    for (const ModuleSpec& module : linear) {
      NIBBLE_CHECK(check_stop(options_));
      LayerQuality layer;
      layer.module = module.module();
      layer.kept_bytes = model.transformer->weights().linear(module).weight->canonical().bytes();
      NIBBLE_TRY(const TrialPrecision trial, TrialPrecision::create(model, module, precision, pool));
      layer.bytes = trial.bytes();
      double sum = 0;
      std::size_t at = 0;
      NIBBLE_TRY(const Evaluation seen,
                 evaluate_logits(*reference_, ids_, evaluation(),
                                 [&](std::span<const float> logits) { sum += predictions_.kl(at++, logits); }));
      layer.mean_kl = sum / double(seen.tokens.size());
      out.push_back(std::move(layer));
      if (progress) progress(double(out.size()) / double(linear.size()));
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const LayerQuality& a, const LayerQuality& b) { return a.mean_kl > b.mean_kl; });
    return out;
  }

 private:
  EvaluateOptions evaluation() const {
    EvaluateOptions evaluation;
    evaluation.stop = options_.stop;
    return evaluation;
  }

  // Gives the perplexity.
  Result<double> distance(const Model& model, Divergence& divergence) {
    DivergenceSum sum;
    std::size_t at = 0;
    NIBBLE_TRY(const Evaluation seen, evaluate_logits(model, ids_, evaluation(), [&](std::span<const float> logits) {
                 sum.add(std::span(expected_).subspan(at, logits.size()), logits);
                 at += logits.size();
               }));
    divergence = sum.result();
    return seen.perplexity;
  }

  std::filesystem::path path_;
  const ExamineOptions& options_;
  std::unique_ptr<Model> reference_;
  QuantizationConfig stored_;  // what the file holds
  std::vector<std::int32_t> ids_;
  std::vector<float> expected_;  // logits, for what KL alone does not say
  Predictions predictions_;
};

Result<QualityReport> examine_layers(const std::filesystem::path& path, const QuantizationConfig& precision,
                                     const ExamineOptions& options) {
  NIBBLE_CHECK(precision.check());
  if (!precision.quantized())
    return error(Errc::bad_request, "layers are examined in a quantized precision, {}, not {}",
                 names_of(precisions({FormatKind::row, FormatKind::table}), " or "), name_of(precision.format));
  const auto progress = [&](double done) {
    if (options.progress) options.progress(done);
  };
  QualityReport report;
  report.examined = precision;
  Examination examination(path, options);
  NIBBLE_CHECK(examination.open_reference(report));
  progress(0.05);
  const std::vector<QuantizationConfig> wholes = examination.wholes();
  for (const QuantizationConfig& whole : wholes) {
    NIBBLE_TRY(PrecisionQuality quality, examination.whole(whole));
    report.precisions.push_back(std::move(quality));
    progress(0.05 + 0.15 * double(report.precisions.size()) / double(wholes.size()));
  }
  NIBBLE_TRY(report.layers, examination.layers(precision, [&](double done) { progress(0.2 + 0.75 * done); }));
  NIBBLE_TRY(report.examined_whole, examination.whole(precision));
  QuantizationConfig kept = precision;
  for (std::size_t i = 0; i < std::min(kept_layers, report.layers.size()); ++i)
    kept.skip.push_back(only(report.layers[i].module));
  NIBBLE_TRY(report.worst_kept, examination.whole(kept));
  report.findings = quality_findings(report, path);
  progress(1);
  return report;
}

}  // namespace

Result<QualityReport> examine_quality(const std::filesystem::path& path, const QuantizationConfig& precision,
                                      const ExamineOptions& options) {
  return or_out_of_memory(path.native(), "measuring quality", [&] { return examine_layers(path, precision, options); });
}

}  // namespace nibble
