#include "nibble/bench.hpp"

#include "base/cpu_features.hpp"
#include "base/thread_pool.hpp"
#include "cpu/peak.hpp"
#include "engine/available_memory.hpp"
#include "measure/speed.hpp"

namespace nibble {
namespace {

constexpr std::uint64_t random_seed = 1;
constexpr double planted_outliers =
    0.005;  // share of columns beyond the int8 threshold, which random weights never reach

std::uint64_t linear_parameters(const LoadedModel& model) {
  std::uint64_t count = 0;
  for (const ModuleSpec& module : list_modules(model.transformer->config()))
    if (module.role == Role::linear) count += module.elements();
  return count;
}

Result<BenchResult> bench_one(const std::filesystem::path& path, bool random_weights,
                              const QuantizationConfig& precision, const BenchOptions& options,
                              const MachineReport& machine) {
  LoadOptions load;
  load.precision = precision, load.threads = options.threads, load.cpu_target = options.cpu_target,
  load.ignore_config = options.ignore_config;
  std::shared_ptr<LoadedModel> model;
  if (random_weights) {
    NIBBLE_TRY(const auto checkpoint, Checkpoint::open_config(path));
    NIBBLE_TRY(const ModelConfig config, read_model_config(checkpoint->config(), path.string(), options.ignore_config));
    NIBBLE_TRY(model, load_random_model(config, load, random_seed,
                                        precision.format == Precision::int8 ? planted_outliers : 0));
  } else {
    NIBBLE_TRY(model, load_model(path, load));
  }
  NIBBLE_TRY(const Speed speed,
             measure_speed(*model, options.prompt_tokens, options.new_tokens, options.batch, options.repeats));
  BenchResult result;
  result.precision = model->precision;
  result.prefill_tokens_per_s = speed.prefill_tokens_per_s, result.decode_tokens_per_s = speed.decode_tokens_per_s;
  result.bytes_per_token = bytes_per_step(*model);
  result.read_gb_per_s = double(result.bytes_per_token) * speed.decode_tokens_per_s / double(options.batch) / 1e9;
  result.percent_of_bandwidth = 100 * (result.read_gb_per_s / std::max(machine.read_gb_per_s, result.read_gb_per_s));
  result.prefill_gflops = 2 * double(linear_parameters(*model)) * speed.prefill_tokens_per_s / 1e9;
  const DType compute = compute_dtype_of(model->precision);
  const double peak = model->precision.format == Precision::int8 && machine.int8_gops > 0 ? machine.int8_gops
                      : compute == DType::bf16 && machine.bf16_gflops > 0                 ? machine.bf16_gflops
                                                                                          : machine.fp32_gflops;
  result.percent_of_peak = 100 * (result.prefill_gflops / std::max(peak, result.prefill_gflops));
  result.outlier_share = model->backend->outlier_share();
  result.memory = model->memory(), result.load_seconds = model->load_seconds;
  return result;
}

}  // namespace

MachineReport measure_machine(int threads) {
  MachineReport report;
  const CpuFeatures features = cpu_features();
  report.cpu = features.model;
  for (const auto& [name, here] : {std::pair{"AVX2", features.avx2},
                                   {"AVX-512", features.avx512},
                                   {"VNNI", features.avx512_vnni},
                                   {"BF16", features.avx512_bf16},
                                   {"AMX", features.amx_tile}})
    if (here) report.instruction_sets += (report.instruction_sets.empty() ? "" : ", ") + std::string(name);
  if (auto backend = make_cpu_backend({})) report.kernel_target = std::string((*backend)->name());
  report.cores = usable_cores();
  report.memory_bytes = total_memory(), report.available_bytes = available_memory();
  const Peaks peak = measure_peaks(threads);
  report.read_gb_per_s = peak.read_gbs, report.fp32_gflops = peak.fp32_gflops, report.bf16_gflops = peak.bf16_gflops,
  report.int8_gops = peak.int8_gops;
  return report;
}

Result<BenchReport> bench_model(const std::filesystem::path& path, bool random_weights, const BenchOptions& options) {
  BenchReport report;
  report.model = path.string();
  report.machine = measure_machine(options.threads);
  std::vector<QuantizationConfig> precisions = options.precisions;
  if (precisions.empty()) precisions = {QuantizationConfig()};
  for (std::size_t i = 0; i < precisions.size(); ++i) {
    NIBBLE_TRY(BenchResult result, bench_one(path, random_weights, precisions[i], options, report.machine));
    report.results.push_back(std::move(result));
    if (options.progress) options.progress(double(i + 1) / double(precisions.size()));
  }
  return report;
}

}  // namespace nibble
