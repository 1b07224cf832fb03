// doctor: what the machine has; with a model, what a precision would do to it and what to do about that.
#include <algorithm>
#include <utility>

#include "advice_text.hpp"
#include "nibble/bench.hpp"
#include "nibble/compare.hpp"
#include "nibble/doctor.hpp"

namespace nibble::cli {
namespace {

struct DoctorArguments {
  std::string model, text;
  bool range = false, quality = false, loading = false;
  std::int64_t tokens = 256;
  PrecisionArguments held;
};

int machine(const Common& common) {
  const auto measured = measure_machine(common.threads, common.device);
  if (!measured) return fail(measured.error());
  const MachineReport& m = *measured;
  if (common.json) {
    print_json({{"cpu", m.cpu},
                {"instruction_sets", m.instruction_sets},
                {"kernels", m.kernel_target},
                {"cores", m.cores},
                {"memory_bytes", m.memory_bytes},
                {"available_bytes", m.available_bytes},
                {"read_gb_per_s", m.read_gb_per_s},
                {"fp32_gflops", m.fp32_gflops},
                {"bf16_gflops", m.bf16_gflops},
                {"int8_gops", m.int8_gops},
                {"gpus", Json::array()}});
    return 0;
  }
  print_field("processor", fmt::format("{}, {} core{} usable", m.cpu, m.cores, m.cores == 1 ? "" : "s"));
  print_field("instructions", m.instruction_sets);
  print_field("Nibble uses", m.kernel_target);
  print_field("memory", fmt::format("{} GB, {} GB free", gb(m.memory_bytes), gb(m.available_bytes)));
  print_field("read bandwidth", fmt::format("{:.1f} GB/s", m.read_gb_per_s));
  print_field("fp32", fmt::format("{:.0f} GFLOP/s", m.fp32_gflops));
  print_field("bf16",
              m.bf16_gflops > 0 ? fmt::format("{:.0f} GFLOP/s", m.bf16_gflops) : "no instruction, computed in fp32");
  print_field("int8",
              m.int8_gops > 0 ? fmt::format("{:.0f} GOP/s", m.int8_gops) : "no dot product, computed in 16 bits");
  print_field("GPUs", "not used by this build");
  return 0;
}

Json findings_json(const std::vector<Finding>& findings) {
  Json out = Json::array();
  for (const Finding& finding : findings) out.push_back({{"what", finding.what}, {"command", finding.command}});
  return out;
}

void print_findings(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    print_folded(fmt::format("- {}.", finding.what), 2);
    print(fmt::format("    {}\n", finding.command));
  }
}

Json range_json(const ValueRange& r) {
  return {{"name", r.name},
          {"values", r.values},
          {"nonfinite", r.nonfinite},
          {"beyond_fp16", r.beyond_fp16},
          {"below_fp16_normal", r.below_fp16_normal},
          {"zero_in_fp16", r.zero_in_fp16},
          {"changed_by_bf16", r.changed_by_bf16},
          {"largest", r.largest},
          {"smallest", r.smallest},
          {"bf16_error", r.bf16_error},
          {"bf16_rms", r.bf16_rms},
          {"fp16_rms", r.fp16_rms}};
}

Json range_json(const std::vector<ValueRange>& ranges) {
  Json out = Json::array();
  for (const ValueRange& range : ranges) out.push_back(range_json(range));
  return out;
}

Json json_of(const RangeReport& r) {
  Json json = {{"stored", r.stored},
               {"bf16_hardware", r.bf16_hardware},
               {"tokens", r.tokens},
               {"on_this_machine", name_of(r.on_this_machine)},
               {"without_bf16_hardware", name_of(r.without_bf16_hardware)},
               {"weights", range_json(r.weights)},
               {"activations", range_json(r.activations)},
               {"findings", findings_json(r.findings)}};
  if (!r.no_activations.empty()) json["no_activations"] = r.no_activations;
  return json;
}

// A sum, and below it the three largest of its parts.
void add_ranges(TextTable& table, const std::string& name, const ValueRange& all,
                const std::vector<ValueRange>& parts) {
  const auto line = [&](const std::string& head, const ValueRange& v) {
    table.add(head,
              {std::to_string(v.values), fmt::format("{:.4g}", v.largest), std::to_string(v.beyond_fp16),
               std::to_string(v.below_fp16_normal), std::to_string(v.zero_in_fp16), fmt::format("{:.1g}", v.bf16_rms)});
  };
  line(name, all);
  std::vector<const ValueRange*> largest;
  for (const ValueRange& part : parts) largest.push_back(&part);
  std::stable_sort(largest.begin(), largest.end(),
                   [](const ValueRange* a, const ValueRange* b) { return a->largest > b->largest; });
  for (std::size_t i = 0; i < std::min<std::size_t>(3, largest.size()); ++i) {
    const std::string& part = largest[i]->name;
    line("  " + (part.starts_with("model.") ? part.substr(6) : part), *largest[i]);
  }
}

void print_range(const RangeReport& r) {
  print_folded(fmt::format("Range: weights as stored ({}), activations of {} token{}", r.stored, r.tokens,
                           r.tokens == 1 ? "" : "s"));
  print("\n");
  TextTable table("", {{"values"}, {"largest"}, {"> 65504"}, {"< 6.1e-5"}, {"0 in fp16"}, {"bf16"}});
  add_ranges(table, "weights", r.all_weights, r.weights);
  if (r.no_activations.empty()) add_ranges(table, "activations", r.all_activations, r.activations);
  print_table(table);
  if (!r.no_activations.empty()) print_folded("activations: not seen, " + r.no_activations);
  print("\n");
  print_folded(
      "Below each sum the three largest. bf16: root of the mean square of the relative error that rounding to bf16 "
      "makes.");
  print("\n");
  print_findings(r.findings);
}

Json json_of(const PrecisionQuality& q) {
  return {{"precision", precision_key(q.precision, q.stored)},
          {"label", q.precision.label()},
          {"stored", q.stored},
          {"requantizes", q.requantizes},
          {"double_quant", q.precision.double_quant},
          {"block_size", q.precision.block_size},
          {"skip", q.precision.skip},
          {"weight_bytes", q.weight_bytes},
          {"perplexity", q.perplexity},
          {"mean_kl", q.divergence.mean_kl},
          {"p99_kl", q.divergence.p99_kl},
          {"max_kl", q.divergence.max_kl},
          {"top1_agreement", q.divergence.top1_agreement}};
}

Json json_of(const QualityReport& r) {
  Json precisions = Json::array(), layers = Json::array();
  for (const PrecisionQuality& quality : r.precisions) precisions.push_back(json_of(quality));
  for (const LayerQuality& layer : r.layers)
    layers.push_back({{"module", layer.module},
                      {"mean_kl", layer.mean_kl},
                      {"bytes", layer.bytes},
                      {"kept_bytes", layer.kept_bytes}});
  return {{"reference", r.reference},
          {"recipe", r.recipe},
          {"tokens", r.tokens},
          {"perplexity", r.perplexity},
          {"precisions", precisions},
          {"layers", layers},
          {"examined", json_of(r.examined_whole)},
          {"worst_kept", json_of(r.worst_kept)},
          {"findings", findings_json(r.findings)}};
}

void print_quality(const QualityReport& r) {
  print_folded(fmt::format("Quality: {} token{}, beside the {}", r.tokens, r.tokens == 1 ? "" : "s", r.reference));
  print("\n");
  TextTable table("", {{"weights, MB"}, {"perplexity"}, {"KL mean"}, {"p99"}, {"top-1"}});
  table.add("reference", {"", fmt::format("{:.3f}", r.perplexity)});
  const auto line = [&](const std::string& name, const PrecisionQuality& q) {
    table.add(name, {fmt::format("{:.2f}", double(q.weight_bytes) / 1e6), fmt::format("{:.3f}", q.perplexity),
                     fmt::format("{:.2g}", q.divergence.mean_kl), fmt::format("{:.2g}", q.divergence.p99_kl),
                     fmt::format("{:.1f} %", 100 * q.divergence.top1_agreement)});
  };
  for (const PrecisionQuality& quality : r.precisions)
    line(quality.stored ? quality.precision.label() + " (as stored)" : row_name(quality.precision, quality.requantizes),
         quality);
  line(r.examined_whole.precision.label() + ", three kept", r.worst_kept);
  print_table(table);
  if (r.examined_whole.requantizes) print_folded(requantizes_legend, 2);
  print("\n");
  TextTable layers("alone in " + r.examined_whole.precision.label(), {{"KL mean"}, {"bytes saved"}});
  for (std::size_t i = 0; i < std::min<std::size_t>(6, r.layers.size()); ++i)
    layers.add(r.layers[i].module,
               {fmt::format("{:.2g}", r.layers[i].mean_kl),
                std::to_string(std::int64_t(r.layers[i].kept_bytes) - std::int64_t(r.layers[i].bytes))});
  print_table(layers);
  print(r.layers.size() > 6 ? fmt::format("and {} layers that lose less\n\n", r.layers.size() - 6) : "\n");
  print_findings(r.findings);
}

Json json_of(const LoadingReport& r) {
  Json loads = Json::array();
  for (const LoadingTime& load : r.loads)
    loads.push_back({{"precision", precision_key(load.precision, true)},
                     {"label", load.precision.label()},
                     {"double_quant", load.precision.double_quant},
                     {"as_stored", load.as_stored},
                     {"seconds", load.seconds},
                     {"opening_seconds", load.opening_seconds},
                     {"quantizing_seconds", load.quantizing_seconds},
                     {"packing_seconds", load.packing_seconds},
                     {"weight_bytes", load.weight_bytes}});
  Json json = {{"filesystem", r.filesystem},
               {"network", r.network},
               {"file_bytes", r.file_bytes},
               {"cached_share", r.cached_share},
               {"read_seconds", r.read_seconds},
               {"available_bytes", r.available_bytes},
               {"loads", loads},
               {"findings", findings_json(r.findings)}};
  if (r.disk_gb_per_s) json["disk_gb_per_s"] = *r.disk_gb_per_s;
  return json;
}

void print_loading(const LoadingReport& r) {
  const double mb = double(r.file_bytes) / 1e6;
  print_folded(fmt::format("Loading: {:.2f} MB on {}{}, {:.0f} % in the page cache", mb, r.filesystem,
                           r.network ? " (may be a network)" : "", 100 * r.cached_share));
  print_field("reading every byte once", fmt::format("{:.3f} s", r.read_seconds), 25);
  if (r.disk_gb_per_s)
    print_field("past the page cache",
                fmt::format("{:.2f} GB/s, {:.3f} s for all of it", *r.disk_gb_per_s, mb / 1e3 / *r.disk_gb_per_s), 25);
  print("\n");
  TextTable table("files in the page cache",
                  {{"weights, MB"}, {"load, s"}, {"opening"}, {"quantizing"}, {"packing"}, {"other"}});
  const auto seconds = [](double value) { return fmt::format("{:.4f}", value); };
  for (const LoadingTime& load : r.loads)
    table.add(load.precision.label() + (load.as_stored ? " (as stored)" : ""),
              {fmt::format("{:.2f}", double(load.weight_bytes) / 1e6), seconds(load.seconds),
               seconds(load.opening_seconds), seconds(load.quantizing_seconds), seconds(load.packing_seconds),
               seconds(load.seconds - load.opening_seconds - load.quantizing_seconds - load.packing_seconds)});
  print_table(table);
  print("\n");
  print_findings(r.findings);
}

Result<ExamineOptions> examine_options(const DoctorArguments& a, const Common& common) {
  ExamineOptions options;
  options.max_tokens = a.tokens;
  options.ignore_config = common.ignore_config;
  options.ignore_tensors = common.ignore_tensors;
  options.threads = common.threads;
  options.device_map = common.device;
  options.text = held_out_text();
  if (!a.text.empty()) {
    NIBBLE_TRY(options.text, read_file(a.text));
  }
  options.stop = interrupted;
  return options;
}

// Examines, then adds to the document or prints.
template <class Examine, class Print>
Result<void> section(const Common& common, const std::string& name, ExamineOptions& options, Json& json,
                     const Examine& examine, const Print& print_report) {
  options.progress = progress_bar(common, name, 0.5);
  NIBBLE_TRY(const auto report, examine());
  if (common.json)
    json[name] = json_of(report);
  else
    print_report(report);
  return {};
}

Result<void> examine(const DoctorArguments& a, const Common& common) {
  NIBBLE_TRY(ExamineOptions options, examine_options(a, common));
  NIBBLE_TRY(QuantizationConfig precision,
             read_precision(a.held, a.held.precision == "stored" ? "nf4" : a.held.precision));
  watch_interrupt();
  Json json = {{"model", a.model}};
  bool first = true;
  const auto between = [&] {
    if (!std::exchange(first, false) && !common.json) print("\n");
  };
  if (a.range || !(a.quality || a.loading)) {
    between();
    NIBBLE_CHECK(section(
        common, "range", options, json, [&] { return examine_range(a.model, options); }, print_range));
  }
  if (a.quality) {
    between();
    NIBBLE_CHECK(section(
        common, "quality", options, json, [&] { return examine_quality(a.model, precision, options); }, print_quality));
  }
  if (a.loading) {
    between();
    NIBBLE_CHECK(section(
        common, "loading", options, json, [&] { return examine_loading(a.model, precision, options); }, print_loading));
  }
  if (common.json) print_json(json);
  return {};
}

int doctor(const DoctorArguments& a, const Common& common) {
  if (a.model.empty()) {
    if (a.range || a.quality || a.loading || !a.text.empty())
      return fail({Errc::bad_request, "these options examine a model: nibble doctor MODEL ..."});
    return machine(common);
  }
  const auto done = examine(a, common);
  return done ? 0 : fail(done.error());
}

}  // namespace

void add_doctor(CLI::App& app, Verb& run) {
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<DoctorArguments>();
  CLI::App* verb = app.add_subcommand(
      "doctor", "what this machine offers; with a model: what each precision would do to it, and what to do about it");
  verb->add_option("MODEL", a->model, std::string(model_help) + " (default: examine the machine)");
  verb->add_flag("--range", a->range, "fp16 or bf16: values beyond or below their ranges (default)");
  verb->add_flag("--quality", a->quality, "what each precision costs, and which layers cost most");
  verb->add_flag("--loading", a->loading, "where the seconds of a load go");
  add_precision_option(
      *verb, "--precision,--precisions", a->held.precision,
      fmt::format("what --quality and --loading examine: {}, {} (default: nf4)",
                  names_of(precisions({FormatKind::row, FormatKind::table})), double_quantized_names()));
  add_quantization(*verb, a->held);
  verb->add_option("--text", a->text, "a sample of what the model will read (default: held-out prose)");
  verb->add_option("--max-eval-tokens,--tokens", a->tokens, "tokens of the sample (default: 256)");
  add_common(*verb, *common, uses_threads | uses_config | uses_tensors | uses_progress);
  verb->callback(
      [=, &run] { run = [=] { return with_model(a->model, *common, [&] { return doctor(*a, *common); }); }; });
}

}  // namespace nibble::cli
