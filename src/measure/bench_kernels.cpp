#include <algorithm>

#include "base/clock.hpp"
#include "base/thread_pool.hpp"
#include "engine/backends.hpp"
#include "engine/placement.hpp"
#include "measure/instruction_rate.hpp"
#include "nibble/bench.hpp"
#include "ops/quantization.hpp"

namespace nibble {
namespace {

struct Case {
  std::string_view format;
  bool double_quant;
  DType compute;
};
// Every format once; nf4 with double quantization and with products in fp32 as well, which cost another table format
// the same.
std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const FormatFacts& format : precisions()) {
    cases.push_back({format.name, false, compute_dtype_of(QuantizationConfig(format.precision))});
    if (format.precision != Precision::nf4) continue;
    cases.push_back({format.name, true, DType::bf16});
    cases.push_back({format.name, false, DType::f32});
  }
  return cases;
}

}  // namespace

Result<KernelReport> bench_kernels(int threads, const std::string& cpu_target, const std::string& device) {
  KernelReport report;
  NIBBLE_TRY(report.machine, measure_machine(threads, device));
  NIBBLE_TRY(const auto backend, make_backend({.device = device, .threads = threads, .cpu_target = cpu_target}));
  ThreadPool pool(threads);
  for (const auto& [rows, cols] :
       {std::pair<std::int64_t, std::int64_t>{2048, 2048}, {5632, 2048}, {2048, 5632}, {32000, 2048}})
    for (const Case& c : every_case()) {
      NIBBLE_TRY(QuantizedWeight held, allocate_quantized(backend->memory(), {c.format, 64, c.double_quant}, rows, cols,
                                                          Purpose::linear_weights, Purpose::scales));
      NIBBLE_CHECK(quantize(
          [](std::int64_t first, std::int64_t count, float* out) {
            for (std::int64_t i = 0; i < count; ++i)
              out[i] = float(((std::uint64_t(first + i) * 0x9e3779b97f4a7c15ull) >> 40) & 0xffff) / 65536.0f - 0.5f;
          },
          held, pool));
      NIBBLE_TRY(const auto weight, backend->prepare(held.weight, {c.compute, 6.0f}, Purpose::linear_weights));
      const Weight& w = held.weight;
      const double bytes =
          double(w.code_bytes + (w.nested.empty() ? w.scales.size_bytes()
                                                  : w.nested.codes.size_bytes() + w.nested.absmax.size_bytes()));
      for (const std::int64_t batch : {std::int64_t(1), std::int64_t(512)}) {
        if (batch > 1 && rows > 6000) continue;
        std::vector<float> x(std::size_t(batch * cols), 0.25f), y(std::size_t(batch * rows));
        double best = 1e30, spent = 0;
        for (int repeat = 0; repeat < 50 && (repeat < 3 || spent < 0.2); ++repeat) {
          const double start = now_seconds();
          const LinearTask task{weight.get(), nullptr, TensorView(y.data(), DType::f32, batch, rows)};
          backend->linear({&task, 1}, TensorView(x.data(), DType::f32, batch, cols), false);
          backend->synchronize();
          const double seconds = now_seconds() - start;
          best = std::min(best, seconds);
          spent += seconds;
        }
        KernelResult r;
        r.format = std::string(c.format) + (c.double_quant ? " double-quant" : "") +
                   (c.format == "nf4" && c.compute == DType::f32 ? " in fp32" : "");
        r.rows = rows;
        r.cols = cols;
        r.batch = batch;
        r.seconds = best;
        r.gb_per_s = bytes / best / 1e9;
        r.gflops = 2.0 * double(rows * cols * batch) / best / 1e9;
        r.percent_of_bandwidth = 100 * (r.gb_per_s / std::max(report.machine.read_gb_per_s, r.gb_per_s));
        const double peak = rate_of(instruction_of(*backend, *weight, batch), report.machine).value();
        r.percent_of_peak = 100 * (r.gflops / std::max(peak, r.gflops));
        report.results.push_back(std::move(r));
      }
    }
  return report;
}

}  // namespace nibble
