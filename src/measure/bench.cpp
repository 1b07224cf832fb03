#include "nibble/bench.hpp"

#include "base/cpu_features.hpp"
#include "base/out_of_memory.hpp"
#include "base/thread_pool.hpp"
#include "engine/available_memory.hpp"
#include "engine/backends.hpp"
#include "formats/all.hpp"
#include "measure/load_options.hpp"
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
                              const QuantizationConfig& precision, const BenchOptions& options) {
  LoadOptions load = load_options(options, precision);
  load.cpu_target = options.cpu_target;
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
  result.held_as = model->held_as();
  result.prefill_tokens_per_s = speed.prefill_tokens_per_s;
  result.decode_tokens_per_s = speed.decode_tokens_per_s;
  result.bytes_per_token = bytes_per_step(*model);
  result.read_gb_per_s = double(result.bytes_per_token) * speed.decode_tokens_per_s / double(options.batch) / 1e9;
  result.prefill_gflops = 2 * double(linear_parameters(*model)) * speed.prefill_tokens_per_s / 1e9;
  result.outlier_share = model->backend->outlier_share();
  result.memory = model->memory();
  result.load_seconds = model->load_seconds;
  return result;
}

// The rate of the instruction that a precision's products use: a measured one, or a share of it.
struct Rate {
  double& measured;
  double share = 1;
};
Rate arithmetic_rate(MachineReport& machine, const BenchResult& r) {
  if (r.precision.format == Precision::int8 && machine.int8_gops > 0) return {machine.int8_gops};
  // Blocks of a GGUF file: those of 256 meet integers of 16 bits, of which an instruction multiplies half as many as of
  // 8; others meet fp32.
  const bool blocks = r.held_as != r.precision.label(),
             wide = format_facts(r.held_as.substr(0, r.held_as.find(","))).block_elements == 256;
  if (wide && compute_dtype_of(r.precision) != DType::f32 && machine.int8_gops > 0) return {machine.int8_gops, 0.5};
  const bool bf16 = compute_dtype_of(r.precision) == DType::bf16 && machine.bf16_gflops > 0 && !blocks;
  return {bf16 ? machine.bf16_gflops : machine.fp32_gflops};
}

// A loop that measures a limit may meet a slower moment of the machine than the work did: the fastest rate seen
// anywhere in the run is what everything is compared with.
void raise_denominators(BenchReport& report) {
  MachineReport& machine = report.machine;
  for (const BenchResult& r : report.results) {
    machine.read_gb_per_s = std::max(machine.read_gb_per_s, r.read_gb_per_s);
    const Rate rate = arithmetic_rate(machine, r);
    rate.measured = std::max(rate.measured, r.prefill_gflops / rate.share);
  }
  for (BenchResult& r : report.results) {
    r.percent_of_bandwidth = 100 * r.read_gb_per_s / machine.read_gb_per_s;
    const Rate rate = arithmetic_rate(machine, r);
    r.percent_of_peak = 100 * r.prefill_gflops / (rate.measured * rate.share);
  }
}

}  // namespace

Result<MachineReport> measure_machine(int threads, const std::string& device) {
  MachineReport report;
  const CpuFeatures features = cpu_features();
  report.cpu = features.model;
  for (const auto& [name, here] : {std::pair{"AVX2", features.avx2},
                                   {"AVX-512", features.avx512},
                                   {"VNNI", features.avx512_vnni},
                                   {"BF16", features.avx512_bf16},
                                   {"AMX", features.amx_tile}})
    if (here) report.instruction_sets += (report.instruction_sets.empty() ? "" : ", ") + std::string(name);
  NIBBLE_TRY(const auto backend, make_backend({.device = device}));
  report.kernel_target = std::string(backend->name());
  report.cores = usable_cores();
  report.memory_bytes = total_memory();
  report.available_bytes = available_memory().bytes;
  NIBBLE_TRY(const Peaks peak, measure_peaks(device, threads));
  report.read_gb_per_s = peak.read_gbs;
  report.fp32_gflops = peak.fp32_gflops;
  report.bf16_gflops = peak.bf16_gflops;
  report.int8_gops = peak.int8_gops;
  return report;
}

Result<BenchReport> bench_model(const std::filesystem::path& path, bool random_weights, const BenchOptions& options) {
  return or_out_of_memory(path.native(), "measuring speed", [&]() -> Result<BenchReport> {
    BenchReport report;
    report.model = path.string();
    NIBBLE_TRY(report.machine, measure_machine(options.threads, options.device_map));
    std::vector<QuantizationConfig> precisions = options.precisions;
    if (precisions.empty()) precisions = {QuantizationConfig()};
    for (std::size_t i = 0; i < precisions.size(); ++i) {
      NIBBLE_TRY(BenchResult result, bench_one(path, random_weights, precisions[i], options));
      report.results.push_back(std::move(result));
      if (options.progress) options.progress(double(i + 1) / double(precisions.size()));
    }
    raise_denominators(report);
    return report;
  });
}

}  // namespace nibble
