// fp16 or bf16, in words.
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "measure/doctor_findings.hpp"

namespace nibble {
namespace {

// "NAME (12, up to 1e+06), NAME (..) and 3 more places": where it happens first.
std::string places(const std::vector<ValueRange>& parts, std::uint64_t ValueRange::*count) {
  constexpr std::size_t shown = 3;
  std::string text;
  std::size_t number = 0;
  for (const ValueRange& part : parts)
    if (part.*count > 0 && ++number <= shown)
      text += fmt::format("{}{} ({}, up to {:.4g})", text.empty() ? "" : ", ", part.name, part.*count, part.largest);
  return number > shown ? fmt::format("{} and {} more places", text, number - shown) : text;
}

const ValueRange* largest_of(const std::vector<ValueRange>& parts) {
  const auto found = std::max_element(parts.begin(), parts.end(),
                                      [](const ValueRange& a, const ValueRange& b) { return a.largest < b.largest; });
  return found == parts.end() ? nullptr : &*found;
}

class RangeFindings {
 public:
  RangeFindings(const RangeReport& report, std::string model) : report_(report), model_(std::move(model)) {}
  std::vector<Finding> take() { return std::move(findings_); }

  void about_what_is_broken() {
    if (const auto count = report_.all_weights.nonfinite)
      add(fmt::format("{} weights are NaN or infinite: {}. No precision mends that: take the file again", count,
                      places(report_.weights, &ValueRange::nonfinite)),
          "nibble inspect " + model_);
    if (const auto count = report_.all_activations.nonfinite)
      add(fmt::format("{} activations are NaN or infinite even in fp32: {}. The file or its config.json is damaged",
                      count, places(report_.activations, &ValueRange::nonfinite)),
          "nibble inspect " + model_);
  }

  void about_fp16() {
    if (const auto count = report_.all_weights.beyond_fp16)
      add(fmt::format("{} weights are beyond fp16's largest value, 65504: {}. fp16 cannot hold this model", count,
                      places(report_.weights, &ValueRange::beyond_fp16)),
          run(Precision::bf16));
    if (const auto count = report_.all_activations.beyond_fp16)
      add(fmt::format("{} activations are beyond fp16's largest value, 65504: {}. In fp16 they become infinite, and "
                      "the output NaN",
                      count, places(report_.activations, &ValueRange::beyond_fp16)),
          run(Precision::bf16));
    const ValueRange* highest = largest_of(report_.activations);
    if (fp16_overflows(report_) || !highest) return;
    const double headroom = fp16_headroom(report_);
    if (headroom < enough_headroom)
      add(fmt::format("fp16 holds this sample, but barely: the largest activation is {:.4g} ({}), the largest weight "
                      "{:.4g}, within a factor of {:.1f} of its limit; another text may pass it",
                      highest->largest, highest->name, report_.all_weights.largest, headroom),
          run(Precision::bf16));
    else
      add(fmt::format("fp16 holds this model: the largest weight is {:.4g}, the largest activation {:.4g} ({}), a "
                      "factor of {:.0f} below its limit",
                      report_.all_weights.largest, highest->largest, highest->name, headroom),
          run(Precision::fp16));
  }

  void about_what_rounding_loses() {
    if (report_.quantized) return;  // nobody would hold it in 16 bits
    const ValueRange& w = report_.all_weights;
    const std::string measure = "nibble doctor " + model_ + " --quality";
    if (w.below_fp16_normal > 0)
      add(fmt::format(
              "{} weights ({:.2g} %) are below fp16's smallest normal value, 6.1e-5, where it keeps fewer bits; "
              "{} of them become zero. What that costs is measured with --quality",
              w.below_fp16_normal, 100 * double(w.below_fp16_normal) / double(w.values), w.zero_in_fp16),
          measure);
    if (w.changed_by_bf16 == 0)
      add("bf16 loses nothing of the weights: all of them are bf16 numbers", run(Precision::bf16));
    else
      add(fmt::format("bf16's 8 bits change {:.1f} % of the weights, by {:.2g} of their value (root mean square), at "
                      "most {:.2g}; fp16's 11 bits by {:.2g}",
                      100 * double(w.changed_by_bf16) / double(w.values), w.bf16_rms, w.bf16_error, w.fp16_rms),
          measure);
  }

  void about_the_choice() {
    const std::string cards = fmt::format(
        "n NVIDIA cards bf16 from compute capability 8.0 (A100, RTX 30 and later), {} before (V100, T4, RTX 20)",
        name_of(report_.without_bf16_hardware));
    if (report_.quantized)
      return add(fmt::format("Keep it as it is stored, {}: 16 bits would hold no more of its weights, and take more "
                             "memory. For its products: o{}",
                             report_.stored, cards),
                 run(Precision::stored));
    add(fmt::format(
            "Of the 16-bit types take {} on this machine: {}. O{}. To fine-tune take bf16 or fp32: gradients "
            "are the first to leave fp16's range. This is about ranges; what fits says nibble estimate, what is "
            "fast nibble compare",
            name_of(report_.on_this_machine), why(), cards),
        run(report_.on_this_machine));
  }

 private:
  std::string why() const {
    if (report_.on_this_machine == Precision::fp16)
      return "fp16 holds this model with room to spare and keeps three more bits, and the processor has no instruction "
             "that would make bf16 faster";
    if (report_.bf16_hardware) return "the processor multiplies bf16";
    if (report_.all_weights.changed_by_bf16 == 0)
      return "it holds the weights exactly. The processor has no instruction for it and computes both types in fp32";
    return "its range is that of fp32, and fp16's is too near. The processor has no instruction for it and computes "
           "both "
           "types in fp32";
  }
  // A model that is quantized is run as it is: anything else would round it a second time.
  std::string run(Precision precision) const {
    const bool as_stored = report_.quantized || precision == Precision::stored;
    return fmt::format("nibble run {} 'Once upon a time'{}", model_,
                       as_stored ? "" : fmt::format(" --precision {}", name_of(precision)));
  }
  void add(std::string what, std::string command) { findings_.push_back({std::move(what), std::move(command)}); }

  const RangeReport& report_;
  std::string model_;
  std::vector<Finding> findings_;
};

}  // namespace

bool fp16_overflows(const RangeReport& report) {
  const ValueRange &w = report.all_weights, &a = report.all_activations;
  return w.beyond_fp16 + a.beyond_fp16 + w.nonfinite + a.nonfinite > 0;
}

double fp16_headroom(const RangeReport& report) {
  const double largest = std::max(report.all_weights.largest, report.all_activations.largest);
  return fp16_overflows(report) ? 0 : largest > 0 ? 65504 / largest : INFINITY;
}

std::vector<Finding> range_findings(const RangeReport& report, const std::filesystem::path& model) {
  RangeFindings findings(report, shell_word(model.string()));
  findings.about_what_is_broken();
  findings.about_fp16();
  findings.about_what_rounding_loses();
  findings.about_the_choice();
  return findings.take();
}

}  // namespace nibble
