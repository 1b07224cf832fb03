// bench: speed beside the measured limits of the machine.
#include "common.hpp"
#include "nibble/bench.hpp"

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

int bench_model_verb(BenchArguments& a, const Common& common) {
  if (a.model.empty() == a.random_weights.empty())
    return fail({Errc::bad_request, "name a MODEL, or --random-weights CONFIG for a shape alone"});
  auto precisions = read_precisions(a.held, a.precisions);
  if (!precisions) return fail(precisions.error());
  a.options.precisions = *precisions;
  a.options.ignore_config = common.ignore_config;
  a.options.threads = common.threads;
  a.options.device_map = common.device;
  a.options.progress = progress_bar(common, "bench");
  auto report = bench_model(a.model.empty() ? a.random_weights : a.model, a.model.empty(), a.options);
  if (!report) return fail(report.error());
  if (common.json) {
    Json json = {{"model", report->model},
                 {"machine", machine_json(report->machine)},
                 {"prompt_tokens", a.options.prompt_tokens},
                 {"new_tokens", a.options.new_tokens},
                 {"batch", a.options.batch},
                 {"results", Json::array()}};
    for (const BenchResult& r : report->results)
      json["results"].push_back({{"precision", r.held_as},
                                 {"prefill_tokens_per_s", r.prefill_tokens_per_s},
                                 {"decode_tokens_per_s", r.decode_tokens_per_s},
                                 {"bytes_per_token", r.bytes_per_token},
                                 {"read_gb_per_s", r.read_gb_per_s},
                                 {"percent_of_bandwidth", r.percent_of_bandwidth},
                                 {"prefill_gflops", r.prefill_gflops},
                                 {"percent_of_peak", r.percent_of_peak},
                                 {"outlier_share", r.outlier_share},
                                 {"load_seconds", r.load_seconds},
                                 {"bytes", to_json(r.memory)}});
    print_json(json);
    return 0;
  }
  const MachineReport& m = report->machine;
  print(
      fmt::format("{} on {} ({}, {} cores): {:.1f} GB/s read, {:.0f} GFLOP/s fp32, {:.0f} bf16, {:.0f} GOP/s "
                  "int8\nprompt {}, new {}, batch {}\n\n{:<18}{:>12}{:>10}{:>8}{:>12}{:>8}{:>10}{:>8}{:>10}\n",
                  report->model, m.cpu, m.kernel_target, m.cores, m.read_gb_per_s, m.fp32_gflops, m.bf16_gflops,
                  m.int8_gops, a.options.prompt_tokens, a.options.new_tokens, a.options.batch, "precision",
                  "prefill t/s", "GFLOP/s", "% peak", "decode t/s", "GB/s", "% of read", "load s", "outliers"));
  for (const BenchResult& r : report->results)
    print(fmt::format("{:<18}{:>12.1f}{:>10.0f}{:>8.1f}{:>12.1f}{:>8.1f}{:>10.1f}{:>8.2f}{:>9.2f}%\n", r.held_as,
                      r.prefill_tokens_per_s, r.prefill_gflops, r.percent_of_peak, r.decode_tokens_per_s,
                      r.read_gb_per_s, r.percent_of_bandwidth, r.load_seconds, 100 * r.outlier_share));
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
  verb->add_option(
      "--precision,--precisions", a->precisions,
      fmt::format("separated by commas; {}: with double quantization (default: as stored)", double_quantized_names()));
  verb->add_option("--prompt-tokens", a->options.prompt_tokens, "tokens of the prompt (default: 512)");
  verb->add_option("--new-tokens", a->options.new_tokens, "tokens to generate (default: 64)");
  verb->add_option("--batch", a->options.batch, "sequences decoded together (default: 1)");
  verb->add_option("--repeats", a->options.repeats, "the median of these is reported (default: 3)");
  verb->add_option("--cpu-target", a->options.cpu_target,
                   "avx512_vnni_bf16, avx512, avx2 or reference (default: the best here)");
  add_quantization(*verb, a->held);
  add_common(*verb, *common, uses_threads | uses_config | uses_progress);
  verb->callback([=, &run] {
    run = [=] { return with_model(a->model, *common, [&] { return bench_model_verb(*a, *common); }); };
  });

  auto kernel_common = std::make_shared<Common>();
  auto target = std::make_shared<std::string>();
  CLI::App* kernels = bench->add_subcommand("kernels", "one product in every format");
  kernels->add_option("--cpu-target", *target, "avx512_vnni_bf16, avx512, avx2 or reference (default: the best here)");
  add_common(*kernels, *kernel_common, uses_threads);
  kernels->callback([=, &run] {
    run = [=] {
      auto report = bench_kernels(kernel_common->threads, *target, kernel_common->device);
      if (!report) return fail(report.error());
      if (kernel_common->json) {
        Json json = {{"machine", machine_json(report->machine)}, {"results", Json::array()}};
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
      print(fmt::format("{:<20}{:>14}{:>8}{:>12}{:>10}{:>10}{:>10}{:>10}\n", "format", "shape", "batch", "us", "GB/s",
                        "% of read", "GFLOP/s", "% peak"));
      for (const KernelResult& r : report->results)
        print(fmt::format("{:<20}{:>14}{:>8}{:>12.1f}{:>10.1f}{:>10.1f}{:>10.1f}{:>10.1f}\n", r.format,
                          fmt::format("{}x{}", r.rows, r.cols), r.batch, r.seconds * 1e6, r.gb_per_s,
                          r.percent_of_bandwidth, r.gflops, r.percent_of_peak));
      return 0;
    };
  });
}

}  // namespace nibble::cli
