// fp16 or bf16? Every weight, and every activation of a sample text, against the ranges of both.
#include <algorithm>

#include "base/cpu_features.hpp"
#include "base/out_of_memory.hpp"
#include "engine/weights.hpp"
#include "measure/doctor_findings.hpp"
#include "measure/doctor_sample.hpp"
#include "measure/value_range.hpp"

namespace nibble {
namespace {

Result<std::vector<ValueRange>> examine_weights(LoadedModel& model, const ExamineOptions& options) {
  std::vector<Buffer> copies;
  const auto source = checkpoint_source(*model.checkpoint, model.backend->memory(), copies);
  ThreadPool pool(model.threads);
  const std::vector<ModuleSpec> modules = list_modules(model.transformer->config());
  std::vector<ValueRange> out;
  std::uint64_t total = 0, done = 0;
  for (const ModuleSpec& module : modules) total += module.elements();
  for (const ModuleSpec& module : modules) {
    NIBBLE_CHECK(check_stop(options));
    NIBBLE_TRY(const StoredWeight stored, source->stored(module));
    out.push_back(range_of(stored.read, std::int64_t(module.elements()), pool));
    out.back().name = module.name;
    done += module.elements();
    if (options.progress) options.progress(0.8 * double(done) / double(total));
  }
  return out;
}

Result<std::vector<ValueRange>> examine_activations(LoadedModel& model, std::span<const std::int32_t> ids,
                                                    const ExamineOptions& options) {
  std::vector<ValueRange> out;
  std::vector<float> host;
  // A text longer than a pass meets each place once per pass.
  const auto record = [&](Slot slot, std::int64_t layer, TensorView values) {
    const std::string name = name_of(slot, layer);
    if (name.empty()) return;
    host.resize(std::size_t(values.rows * values.cols));
    model.backend->download(values, host.data());
    ValueRange range = range_of(host);
    range.name = name;
    const auto known = std::find_if(out.begin(), out.end(), [&](const ValueRange& r) { return r.name == range.name; });
    if (known == out.end())
      out.push_back(std::move(range));
    else
      known->add(range);
  };
  NIBBLE_TRY(KvCache cache,
             KvCache::create(model.transformer->config(), *model.backend, model.kv_dtype, std::int64_t(ids.size())));
  const Slice slice{&cache, ids, LogitsOf::all};
  model.transformer->observe(record);
  auto passed = model.transformer->forward(
      {&slice, 1}, [](std::size_t, std::int64_t, std::span<const float>) {}, options.stop);
  model.transformer->observe({});
  NIBBLE_CHECK(std::move(passed));
  return out;
}

ValueRange all_of(const std::vector<ValueRange>& parts) {
  ValueRange all;
  for (const ValueRange& part : parts) all.add(part);
  return all;
}

Result<RangeReport> examine_values(const std::filesystem::path& path, const ExamineOptions& options) {
  NIBBLE_TRY(const auto model, load_model(path, reference_options(options)));
  RangeReport report;
  report.stored = model->precision.label();
  report.quantized = is_quantized(model->precision);
  report.bf16_hardware = cpu_features().avx512_bf16 || cpu_features().amx_bf16;
  // A text that is too short is said before the weights are read.
  auto ids = sample_tokens(*model, options);
  if (!ids && model->tokenizer()) return ids.error();
  NIBBLE_TRY(report.weights, examine_weights(*model, options));
  if (ids) {
    report.tokens = std::int64_t(ids->size());
    NIBBLE_TRY(report.activations, examine_activations(*model, *ids, options));
  } else {
    report.no_activations = ids.error().message;
  }
  report.all_weights = all_of(report.weights);
  report.all_activations = all_of(report.activations);
  report.without_bf16_hardware = fp16_overflows(report) ? Precision::fp32 : Precision::fp16;
  // Where fp16 holds the model with room to spare, its three more bits count only for weights that have them.
  const bool fp16_keeps_more = fp16_headroom(report) >= enough_headroom && report.all_weights.changed_by_bf16 > 0;
  report.on_this_machine = fp16_keeps_more && !report.bf16_hardware ? Precision::fp16 : Precision::bf16;
  report.findings = range_findings(report, path);
  if (options.progress) options.progress(1);
  return report;
}

}  // namespace

Result<RangeReport> examine_range(const std::filesystem::path& path, const ExamineOptions& options) {
  return or_out_of_memory(path.native(), "examining values", [&] { return examine_values(path, options); });
}

}  // namespace nibble
