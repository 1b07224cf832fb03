// What a precision costs in quality, in words.
#include <algorithm>

#include "base/error.hpp"
#include "measure/doctor_findings.hpp"
#include "measure/units.hpp"

namespace nibble {
namespace {

// KL in nats is the expected rise of the loss, so this is one percent of perplexity.
constexpr double small_loss = 0.01;

const PrecisionQuality* find(const QualityReport& report, Precision format, bool double_quant = false) {
  for (const PrecisionQuality& quality : report.precisions)
    if (quality.precision.format == format && quality.precision.double_quant == double_quant) return &quality;
  return nullptr;
}

std::string size_words(std::uint64_t bytes) {
  return bytes < 1'000'000'000 ? fmt::format("{:.2f} MB", double(bytes) / 1e6)
                               : fmt::format("{:.2f} GB", double(bytes) / 1e9);
}

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

// The smallest whose loss is small; else the one that loses least. A second rounding must save something.
const PrecisionQuality& choice(const QualityReport& report) {
  const PrecisionQuality* best = &report.precisions.front();
  const double stored_bytes = double(best->weight_bytes);
  bool small = false;
  for (const PrecisionQuality& quality : report.precisions) {
    if (quality.requantizes && double(quality.weight_bytes) > worth_rounding * stored_bytes) continue;
    const double kl = quality.divergence.mean_kl;
    const bool better = kl <= small_loss ? !small || quality.weight_bytes < best->weight_bytes
                                         : !small && kl < best->divergence.mean_kl;
    if (better) best = &quality;
    small = small || kl <= small_loss;
  }
  return *best;
}

Finding about_four_bits(const QualityReport& report, const std::string& model) {
  const PrecisionQuality &nf4 = *find(report, Precision::nf4), &fp4 = *find(report, Precision::fp4),
                         &int8 = *find(report, Precision::int8);
  const bool nf4_wins = nf4.divergence.mean_kl <= fp4.divergence.mean_kl;
  const PrecisionQuality &better = nf4_wins ? nf4 : fp4, &worse = nf4_wins ? fp4 : nf4;
  return {
      fmt::format("At the same size {} is {:.1f} times nearer to the reference than {} (KL {:.2g} and {:.2g}); int8 "
                  "is {:.1f} times nearer than {} (KL {:.2g}) at {:.2f} times its bytes",
                  better.precision.label(), ratio(worse.divergence.mean_kl, better.divergence.mean_kl),
                  worse.precision.label(), better.divergence.mean_kl, worse.divergence.mean_kl,
                  ratio(better.divergence.mean_kl, int8.divergence.mean_kl), better.precision.label(),
                  int8.divergence.mean_kl, ratio(double(int8.weight_bytes), double(better.weight_bytes))),
      fmt::format("nibble compare {} --precisions stored,int8,nf4,fp4", model)};
}

Finding about_worst_layers(const QualityReport& report, const std::filesystem::path& model) {
  const PrecisionQuality &all = report.examined_whole, &kept = report.worst_kept;
  const std::size_t count = kept.precision.skip.size() - all.precision.skip.size();
  double alone = 0, total = 0;
  std::string names;
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    total += report.layers[i].mean_kl;
    if (i >= count) continue;
    alone += report.layers[i].mean_kl;
    names += fmt::format("{}{} (KL {:.2g} alone)", i ? ", " : "", report.layers[i].module, report.layers[i].mean_kl);
  }
  const PrecisionQuality& stored = report.precisions.front();
  std::string what = fmt::format(
      "In {} these layers lose most: {}; {:.0f} % of what all {} lose one by one. Kept as stored they cost "
      "{} more ({:.1f} % of the weights) and bring KL from {:.3g} to {:.3g}, perplexity from {:.2f} to {:.2f}",
      all.precision.label(), names, 100 * ratio(alone, total), report.layers.size(),
      size_words(kept.weight_bytes - std::min(kept.weight_bytes, all.weight_bytes)),
      100 * (ratio(double(kept.weight_bytes), double(all.weight_bytes)) - 1), all.divergence.mean_kl,
      kept.divergence.mean_kl, all.perplexity, kept.perplexity);
  const std::string word = shell_word(model.string());
  if (all.requantizes && kept.weight_bytes >= stored.weight_bytes)
    return {
        what + fmt::format(". But such a copy would be larger than the file ({} instead of {}) and further from the "
                           "original: keep {}",
                           size_words(kept.weight_bytes), size_words(stored.weight_bytes), stored.precision.label()),
        fmt::format("nibble run {} 'Once upon a time'", word)};
  return {what + (all.requantizes ? ". The copy rounds the weights a second time" : ""),
          fmt::format("nibble quantize {} {} {}{}", word, shell_word(copy_name(model, kept.precision) + "-kept"),
                      precision_words(kept.precision, "--to"), all.requantizes ? " --allow-requantize" : "")};
}

Finding about_the_choice(const QualityReport& report, const std::string& model) {
  const PrecisionQuality& chosen = choice(report);
  const bool small = chosen.divergence.mean_kl <= small_loss;
  const std::string label = chosen.precision.label();
  std::string what;
  if (!small)
    what = fmt::format(
        "No precision stays within a KL of {} nats (about one percent of perplexity); {} loses least, {:.2g}",
        small_loss, label, chosen.divergence.mean_kl);
  else if (chosen.stored)
    what = fmt::format(
        "Keep it as it is stored, {} ({}): nothing that is smaller stays within a KL of {} nats, which "
        "raises perplexity by about one percent",
        label, size_words(chosen.weight_bytes), small_loss);
  else
    what = fmt::format(
        "Where memory is short take {}: the smallest ({}) whose KL is at most {} nats, which raises "
        "perplexity by about one percent{}. Where it is not, {}, as stored, loses nothing",
        label, size_words(chosen.weight_bytes), small_loss, chosen.requantizes ? ", the second rounding included" : "",
        report.precisions.front().precision.label());
  return {what + ". This is about quality; what fits says nibble estimate, what is fast nibble compare",
          fmt::format("nibble run {} 'Once upon a time'{}", model,
                      chosen.stored ? "" : " " + precision_words(chosen.precision, "--precision"))};
}

}  // namespace

std::vector<Finding> quality_findings(const QualityReport& report, const std::filesystem::path& model) {
  const std::string word = shell_word(model.string());
  return {about_four_bits(report, word), about_worst_layers(report, model), about_the_choice(report, word)};
}

}  // namespace nibble
