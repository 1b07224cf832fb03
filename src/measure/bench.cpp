#include "nibble/bench.hpp"

#include <algorithm>
#include <map>

#include "base/cpu_features.hpp"
#include "base/out_of_memory.hpp"
#include "base/thread_pool.hpp"
#include "engine/available_memory.hpp"
#include "engine/backends.hpp"
#include "measure/instruction_rate.hpp"
#include "measure/load_options.hpp"
#include "measure/named_once.hpp"
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

// Most of a prompt's multiplications are of this kind.
Instruction instruction_of_prompts(const LoadedModel& model, std::int64_t prompt_tokens) {
  std::map<Instruction, std::int64_t> elements;
  for (const LayerWeights& layer : model.transformer->weights().layers)
    for (const Linear& linear : layer.linears)
      if (linear.weight)
        elements[instruction_of(*model.backend, *linear.weight, prompt_tokens)] +=
            linear.weight->canonical().elements();
  const auto most = std::max_element(elements.begin(), elements.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == elements.end() ? Instruction::fp32_fma : most->first;
}

struct Measured {
  BenchResult result;
  Instruction instruction;
};

Result<Measured> bench_one(const std::filesystem::path& path, bool random_weights, const QuantizationConfig& precision,
                           const BenchOptions& options) {
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
  result.requantized_from = model->requantized_from;
  result.prefill_tokens_per_s = speed.prefill_tokens_per_s;
  result.decode_tokens_per_s = speed.decode_tokens_per_s;
  result.repeats = speed.repeats;
  result.bytes_per_token = bytes_per_step(*model);
  result.read_gb_per_s = double(result.bytes_per_token) * speed.decode_tokens_per_s / double(options.batch) / 1e9;
  result.prefill_gflops = 2 * double(linear_parameters(*model)) * speed.prefill_tokens_per_s / 1e9;
  result.outlier_share = model->backend->outlier_share();
  result.memory = model->memory();
  result.load_seconds = model->load_seconds;
  return Measured{std::move(result), instruction_of_prompts(*model, options.prompt_tokens)};
}

// A loop that measures a limit may meet a slower moment of the machine than the work did: the fastest rate seen
// anywhere in the run is what everything is compared with.
void compare_with_limits(std::vector<Measured>& results, MachineReport& machine) {
  for (const auto& [result, instruction] : results) {
    machine.read_gb_per_s = std::max(machine.read_gb_per_s, result.read_gb_per_s);
    const InstructionRate rate = rate_of(instruction, machine);
    rate.measured = std::max(rate.measured, result.prefill_gflops / rate.share);
  }
  for (auto& [result, instruction] : results) {
    result.percent_of_bandwidth = 100 * result.read_gb_per_s / machine.read_gb_per_s;
    result.percent_of_peak = 100 * result.prefill_gflops / rate_of(instruction, machine).value();
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
    NIBBLE_CHECK(named_once(options.precisions));
    BenchReport report;
    report.model = path.string();
    NIBBLE_TRY(report.machine, measure_machine(options.threads, options.device_map));
    std::vector<QuantizationConfig> precisions = options.precisions;
    if (precisions.empty()) precisions = {QuantizationConfig()};
    std::vector<Measured> results;
    for (std::size_t i = 0; i < precisions.size(); ++i) {
      NIBBLE_TRY(Measured measured, bench_one(path, random_weights, precisions[i], options));
      results.push_back(std::move(measured));
      if (options.progress) options.progress(double(i + 1) / double(precisions.size()));
    }
    compare_with_limits(results, report.machine);
    for (Measured& measured : results) report.results.push_back(std::move(measured.result));
    return report;
  });
}

}  // namespace nibble
