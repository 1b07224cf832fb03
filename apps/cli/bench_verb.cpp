// bench: speed beside the measured limits of the machine.
#include "common.hpp"
#include "nibble/bench.hpp"
#include "origin.hpp"

namespace nibble::cli {
namespace {

struct BenchArguments {
  std::string model, random_weights, precisions = "stored";
  BenchOptions options;
  PrecisionArguments held;
};

Json machine_json(const MachineReport& m) {
  return {{"cpu", m.cpu},
          {"kernels", m.kernel_target},
          {"cores", m.cores},
          {"read_gb_per_s", m.read_gb_per_s},
          {"fp32_gflops", m.fp32_gflops},
          {"bf16_gflops", m.bf16_gflops},
          {"int8_gops", m.int8_gops}};
}

Json json_of(const BenchResult& r) {
  return {{"precision", r.held_as},
          {"requantized_from", r.requantized_from},
          {"prefill_tokens_per_s", r.prefill_tokens_per_s},
          {"decode_tokens_per_s", r.decode_tokens_per_s},
          {"prefill_lowest_tokens_per_s", r.repeats.prefill_lowest},
          {"prefill_highest_tokens_per_s", r.repeats.prefill_highest},
          {"decode_lowest_tokens_per_s", r.repeats.decode_lowest},
          {"decode_highest_tokens_per_s", r.repeats.decode_highest},
          {"processor_share", r.repeats.processor_share},
          {"waiting_share", r.repeats.waiting_share},
          {"stolen_share", r.repeats.stolen_share},
          {"busy", r.repeats.busy},
          {"bytes_per_token", r.bytes_per_token},
          {"read_gb_per_s", r.read_gb_per_s},
          {"percent_of_bandwidth", r.percent_of_bandwidth},
          {"prefill_gflops", r.prefill_gflops},
          {"percent_of_peak", r.percent_of_peak},
          {"outlier_share", r.outlier_share},
          {"load_seconds", r.load_seconds},
          {"bytes", to_json(r.memory)}};
}

Json origin_of(const MachineReport& machine, const Common& common, const std::string& model,
               const std::string& precision) {
  Provenance out = provenance();
  out.model = model;
  out.precision = precision;
  out.instruction_set = machine.kernel_target;
  if (common.threads > 0) out.threads = common.threads;
  return origin(std::move(out));
}

// Precision by precision, what was rounded a second time and why speeds say little.
void print_remarks(const std::vector<BenchResult>& results) {
  for (const BenchResult& r : results)
    if (!r.requantized_from.empty())
      print_folded(fmt::format("\nThe file holds {}; as {} its weights were rounded a second time.", r.requantized_from,
                               r.held_as));
  for (const BenchResult& r : results)
    if (!r.repeats.busy.empty())
      print_folded(fmt::format("\nThe machine was busy while {} was measured, so its speeds are not comparable: {}.",
                               r.held_as, r.repeats.busy));
}

int bench_model_verb(BenchArguments& a, const Common& common) {
  if (a.model.empty() == a.random_weights.empty())
    return fail({Errc::bad_request, "name a MODEL, or --random-weights CONFIG for a shape alone"});
  auto precisions = read_precisions(a.held, a.precisions);
  if (!precisions) return fail(precisions.error());
  a.options.precisions = *precisions;
  a.options.ignore_config = common.ignore_config;
  a.options.ignore_tensors = common.ignore_tensors;
  a.options.threads = common.threads;
  a.options.device_map = common.device;
  a.options.progress = progress_bar(common, "bench");
  auto report = bench_model(a.model.empty() ? a.random_weights : a.model, a.model.empty(), a.options);
  if (!report) return fail(report.error());
  if (common.json) {
    Json json = {{"model", report->model},
                 {"machine", machine_json(report->machine)},
                 {"provenance", origin_of(report->machine, common, report->model, a.precisions)},
                 {"prompt_tokens", a.options.prompt_tokens},
                 {"new_tokens", a.options.new_tokens},
                 {"batch", a.options.batch},
                 {"results", Json::array()}};
    for (const BenchResult& r : report->results) json["results"].push_back(json_of(r));
    print_json(json);
    return 0;
  }
  const MachineReport& m = report->machine;
  print_folded(
      fmt::format("{} on {} ({}, {} core{}): {:.1f} GB/s read, {:.0f} GFLOP/s fp32, {:.0f} bf16, {:.0f} GOP/s int8",
                  report->model, m.cpu, m.kernel_target, m.cores, m.cores == 1 ? "" : "s", m.read_gb_per_s,
                  m.fp32_gflops, m.bf16_gflops, m.int8_gops));
  print_folded(
      fmt::format("prompt {}, new {}, batch {}", a.options.prompt_tokens, a.options.new_tokens, a.options.batch));
  print("\n");
  TextTable table("precision", {{"tokens/s", "prefill"},
                                {"repeats", "prefill"},
                                {"GFLOP/s", "prefill"},
                                {"% of peak", "prefill"},
                                {"tokens/s", "decode"},
                                {"repeats", "decode"},
                                {"GB/s", "decode"},
                                {"% of read", "decode"},
                                {"load, s"},
                                {"outliers"}});
  for (const BenchResult& r : report->results)
    table.add(r.held_as, {fmt::format("{:.1f}", r.prefill_tokens_per_s),
                          fmt::format("{:.1f}-{:.1f}", r.repeats.prefill_lowest, r.repeats.prefill_highest),
                          fmt::format("{:.0f}", r.prefill_gflops), fmt::format("{:.1f}", r.percent_of_peak),
                          fmt::format("{:.1f}", r.decode_tokens_per_s),
                          fmt::format("{:.1f}-{:.1f}", r.repeats.decode_lowest, r.repeats.decode_highest),
                          fmt::format("{:.1f}", r.read_gb_per_s), fmt::format("{:.1f}", r.percent_of_bandwidth),
                          fmt::format("{:.2f}", r.load_seconds), fmt::format("{:.2f} %", 100 * r.outlier_share)});
  print_table(table);
  print_remarks(report->results);
  return 0;
}

int bench_kernels_verb(const std::string& target, const Common& common) {
  auto report = bench_kernels(common.threads, target, common.device);
  if (!report) return fail(report.error());
  if (common.json) {
    Json json = {{"machine", machine_json(report->machine)},
                 {"provenance", origin_of(report->machine, common, "", "")},
                 {"results", Json::array()}};
    for (const KernelResult& r : report->results)
      json["results"].push_back({{"format", r.format},
                                 {"rows", r.rows},
                                 {"cols", r.cols},
                                 {"batch", r.batch},
                                 {"microseconds", r.seconds * 1e6},
                                 {"gb_per_s", r.gb_per_s},
                                 {"percent_of_bandwidth", r.percent_of_bandwidth},
                                 {"gflops", r.gflops},
                                 {"percent_of_peak", r.percent_of_peak}});
    print_json(json);
    return 0;
  }
  TextTable table("format", {{"shape"}, {"batch"}, {"us"}, {"GB/s"}, {"% of read"}, {"GFLOP/s"}, {"% of peak"}});
  for (const KernelResult& r : report->results)
    table.add(r.format,
              {fmt::format("{}x{}", r.rows, r.cols), std::to_string(r.batch), fmt::format("{:.1f}", r.seconds * 1e6),
               fmt::format("{:.1f}", r.gb_per_s),
               r.gb_per_s > report->machine.read_gb_per_s ? "in cache" : fmt::format("{:.1f}", r.percent_of_bandwidth),
               fmt::format("{:.1f}", r.gflops), fmt::format("{:.1f}", r.percent_of_peak)});
  print_table(table);
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Verb& run) {
  CLI::App* bench = app.add_subcommand("bench", "speed beside this machine's measured limit");
  bench->require_subcommand(1);
  auto common = std::make_shared<Common>();
  auto a = std::make_shared<BenchArguments>();
  CLI::App* verb = bench->add_subcommand("model", "prefill and decode of a whole model");
  verb->add_option("MODEL", a->model, model_help);
  verb->add_option("--random-weights", a->random_weights, "a config.json: seeded random weights of that shape");
  add_precision_option(
      *verb, "--precision,--precisions", a->precisions,
      fmt::format("separated by commas; {}: with double quantization (default: as stored)", double_quantized_names()));
  verb->add_option("--prompt-tokens", a->options.prompt_tokens, "tokens of the prompt (default: 512)");
  verb->add_option("-n,--max-new-tokens,--new-tokens", a->options.new_tokens, "tokens to generate (default: 64)");
  verb->add_option("--batch", a->options.batch, "sequences decoded together (default: 1)");
  verb->add_option("--repeats", a->options.repeats, "the median of these is reported (default: 3)");
  verb->add_option("--cpu-target", a->options.cpu_target,
                   "avx512_vnni_bf16, avx512, avx2 or reference (default: the best here)");
  add_quantization(*verb, a->held);
  add_common(*verb, *common, uses_threads | uses_config | uses_tensors | uses_progress);
  verb->callback([=, &run] {
    run = [=] { return with_model(a->model, *common, [&] { return bench_model_verb(*a, *common); }); };
  });

  auto kernel_common = std::make_shared<Common>();
  auto target = std::make_shared<std::string>();
  CLI::App* kernels = bench->add_subcommand("kernels", "one product in every format");
  kernels->add_option("--cpu-target", *target, "avx512_vnni_bf16, avx512, avx2 or reference (default: the best here)");
  add_common(*kernels, *kernel_common, uses_threads);
  kernels->callback([=, &run] { run = [=] { return bench_kernels_verb(*target, *kernel_common); }; });
}

}  // namespace nibble::cli
