#include "nibble/estimate.hpp"

#include <algorithm>

#include "base/out_of_memory.hpp"
#include "engine/load.hpp"
#include "measure/subject.hpp"

namespace nibble {
namespace {

// The files as they are come first, and are not named twice.
std::vector<QuantizationConfig> every_precision(const Subject& subject) {
  std::vector<QuantizationConfig> all;
  for (const FormatFacts& format : precisions()) {
    all.emplace_back(format.precision);
    if (format.kind == FormatKind::table)
      all.push_back(QuantizationConfig::four_bit(format.precision, {.double_quant = true}));
  }
  std::erase_if(all, [&](const QuantizationConfig& precision) { return subject.is_as_stored(precision); });
  all.insert(all.begin(), QuantizationConfig());
  return all;
}

Result<Estimate> estimate_subject(const Subject& subject, const EstimateOptions& options) {
  NIBBLE_CHECK(check_workload(options.context, options.batch));
  NIBBLE_CHECK(check_device(options.device_map));
  Estimate out;
  out.architecture = subject.architecture;
  out.parameters = subject.parameters;
  out.notes = subject.notes;
  EstimateOptions within = options;
  if (subject.knows_positions()) within.context = std::min(options.context, subject.max_positions());
  if (within.context < options.context)
    out.notes.push_back(
        fmt::format("the KV cache is that of {} tokens, all that the model was made for", within.context));
  out.context = within.context;
  out.batch = options.batch;
  out.runs = subject.runs();
  for (const QuantizationConfig& precision :
       options.precisions.empty() ? every_precision(subject) : options.precisions) {
    NIBBLE_CHECK(precision.check());
    NIBBLE_TRY(PrecisionEstimate planned, subject.plan(precision, within));
    out.precisions.push_back(std::move(planned));
  }
  return out;
}

}  // namespace

std::uint64_t estimate(std::uint64_t parameters, Precision precision) {
  return facts_of(precision == Precision::stored ? Precision::bf16 : precision).code_bytes(parameters);
}

Result<Estimate> estimate(const std::filesystem::path& path, const EstimateOptions& options) {
  return or_out_of_memory(path.native(), "estimating", [&]() -> Result<Estimate> {
    NIBBLE_TRY(const Subject subject, open_subject(path, options.ignore_config));
    return estimate_subject(subject, options);
  });
}

Result<std::optional<Estimate>> estimate_nearest(std::uint64_t parameters, const EstimateOptions& options) {
  return or_out_of_memory("", "estimating", [&]() -> Result<std::optional<Estimate>> {
    const std::optional<Subject> shape = nearest_shape(parameters);
    if (!shape) return std::optional<Estimate>();
    NIBBLE_TRY(Estimate out, estimate_subject(*shape, options));
    return std::optional<Estimate>(std::move(out));
  });
}

}  // namespace nibble
