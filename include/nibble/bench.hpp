// Speed beside the machine's limit.
//
// Threads: any number may call these, but what runs at the same time slows what is measured.
// Implemented in src/measure/bench.cpp and bench_kernels.cpp.
#pragma once

#include "nibble/model.hpp"

namespace nibble {

// What this machine can do, measured now by loops of Nibble's own.
struct MachineReport {
  std::string cpu, instruction_sets, kernel_target;
  int cores = 0;
  std::uint64_t memory_bytes = 0, available_bytes = 0;
  double read_gb_per_s = 0;                                // all cores, 10^9 bytes
  double fp32_gflops = 0, bf16_gflops = 0, int8_gops = 0;  // multiply-adds count two; 0: not measured here
};
Result<MachineReport> measure_machine(int threads = 0, const std::string& device = automatic);

struct BenchOptions {
  std::vector<QuantizationConfig> precisions = {};
  std::int64_t prompt_tokens = 512, new_tokens = 64, batch = 1;
  int repeats = 3, threads = 0;
  std::string device_map = automatic;  // one of devices(), or automatic
  std::string cpu_target = {};
  std::vector<std::string> ignore_config = {}, ignore_tensors = {};
  Progress progress = {};
};

// How the repeats of one speed measurement went, and what else the machine did meanwhile.
struct Repeats {
  double prefill_lowest = 0, prefill_highest = 0, decode_lowest = 0, decode_highest = 0;  // tokens/s
  // Shares of the time that the threads could have computed in (wall time times threads, at most the usable cores).
  double processor_share = 0;  // this process computed
  double waiting_share = 0;    // its threads waited for a processor; 0 where the system does not count that
  double stolen_share = 0;     // a hypervisor ran other machines
  std::string busy;            // why the rates say little, as the rest of a sentence about the measurement; or empty
};

struct BenchResult {
  QuantizationConfig precision;
  std::string held_as;                                       // its label, or the block type of a GGUF file
  std::string requantized_from;                              // see Model::requantized_from()
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;  // median; decode over the whole batch
  std::uint64_t bytes_per_token = 0;                         // weights read for one decode step
  double read_gb_per_s = 0, percent_of_bandwidth = 0;
  double prefill_gflops = 0, percent_of_peak = 0;
  Repeats repeats;
  double outlier_share = 0;  // int8: share of activation columns at or above the threshold
  MemoryReport memory;
  double load_seconds = 0;
};

struct BenchReport {
  MachineReport machine;  // where a result went faster than the measured limit, the faster rate stands here
  std::string model;
  std::vector<BenchResult> results;
};

// bad_request if a precision is named twice.
// The weights of `model`; or, with random_weights, seeded random weights of the shape in that config.json.
Result<BenchReport> bench_model(const std::filesystem::path& model, bool random_weights, const BenchOptions& options);

struct KernelResult {
  std::string format;  // "nf4", "nf4 double-quant"
  std::int64_t rows = 0, cols = 0, batch = 0;
  double seconds = 0;  // best of several
  double gb_per_s = 0, percent_of_bandwidth = 0, gflops = 0, percent_of_peak = 0;
};

struct KernelReport {
  MachineReport machine;
  std::vector<KernelResult> results;
};

// One product y = W x in every format, for one row and for 512 rows of x, at the shapes of TinyLlama's layers.
Result<KernelReport> bench_kernels(int threads = 0, const std::string& cpu_target = {},
                                   const std::string& device = automatic);

}  // namespace nibble
