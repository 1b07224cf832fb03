// Products of every format on every target of this processor, in the shapes of a 1.1B model, beside the measured peaks
// of this machine. One row of x is generation (bound by memory: the last shape is larger than the caches), many rows
// are reading a prompt (bound by arithmetic). Usage: kernel_bench [target] [format] [threads]
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/numeric.hpp"
#include "base/thread_pool.hpp"
#include "cpu/cpu_backend.hpp"
#include "cpu/peak.hpp"
#include "formats/all.hpp"
#include "ops/quantization.hpp"

namespace nibble {
namespace {

struct Shape {
  std::int64_t rows, cols;
  int per_layer;  // how often a layer of the model has it; 0: once in the model
};
constexpr Shape shapes[] = {{2048, 2048, 2},  {256, 2048, 2},    {5632, 2048, 2}, {2048, 5632, 1},
                            {32000, 2048, 0}, {100000, 2048, -1}};  // the last: of no model, for one row
constexpr int layers = 22;

double best_seconds(Backend& backend, const PreparedWeight& w, TensorView x, TensorView y) {
  double best = 1e9, total = 0;
  for (int i = 0; i < 3 || (total < 0.15 && i < 200); ++i) {
    const auto start = std::chrono::steady_clock::now();
    const LinearTask task{&w, nullptr, y};
    backend.linear({&task, 1}, x, false);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

// Random weights: quantized in earnest for codes, so that every code and scale occurs.
QuantizedWeight random_weight(HostAllocator& memory, ThreadPool& pool, const QuantizeOptions& options,
                              std::int64_t rows, std::int64_t cols) {
  auto weight = allocate_quantized(memory, options, rows, cols, Purpose::linear_weights, Purpose::scales);
  if (!weight) {
    fmt::print("{}\n", weight.error().message);
    std::exit(1);
  }
  const auto noise = [](std::int64_t first, std::int64_t count, float* out) {
    std::uint64_t state = std::uint64_t(first) * 0x9e3779b97f4a7c15u + 1;
    for (std::int64_t i = 0; i < count; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      out[i] = float(std::int32_t(state >> 32)) * 0x1p-36f;
    }
  };
  if (auto done = quantize(noise, *weight, pool); !done) {
    fmt::print("{}\n", done.error().message);
    std::exit(1);
  }
  return std::move(*weight);
}

// Blocks of any bytes, but for their fp16 numbers.
QuantizedWeight random_blocks(HostAllocator& memory, const FormatFacts& facts, std::int64_t rows, std::int64_t cols) {
  QuantizedWeight out;
  Weight& weight = out.weight;
  weight.format = facts.name;
  weight.rows = rows;
  weight.cols = cols;
  weight.code_bytes = facts.code_bytes(std::uint64_t(weight.elements()));
  auto codes = Buffer::take(memory, weight.code_bytes, Purpose::linear_weights);
  if (!codes) {
    fmt::print("{}\n", codes.error().message);
    std::exit(1);
  }
  out.codes = std::move(*codes);
  weight.codes = out.codes.as<std::byte>();
  std::minstd_rand random(1);
  for (std::size_t i = 0; i < weight.code_bytes; ++i) out.codes.as<std::byte>()[i] = std::byte(random() >> 8);
  for (std::size_t block = 0; block < weight.code_bytes; block += std::size_t(facts.block_bytes))
    for (const int at : {facts.name == BlockQ6_K::name ? 208 : 0, facts.name == BlockQ6_K::name ? 208 : 2}) {
      const std::uint16_t bits = float_to_f16(0.01f);
      std::memcpy(out.codes.as<std::byte>() + block + at, &bits, sizeof bits);
    }
  return out;
}

struct Case {
  const char* label;
  QuantizeOptions options;
  DType compute;
};

const Case cases[] = {{"fp32", {.format = "fp32"}, DType::f32},
                      {"fp16", {.format = "fp16"}, DType::f32},
                      {"bf16", {.format = "bf16"}, DType::bf16},
                      {"bf16/f32", {.format = "bf16"}, DType::f32},
                      {"int8", {.format = "int8"}, DType::bf16},
                      {"nf4", {.format = "nf4"}, DType::bf16},
                      {"nf4-dq", {.format = "nf4", .double_quant = true}, DType::bf16},
                      {"fp4", {.format = "fp4"}, DType::bf16},
                      {"nf4/f32", {.format = "nf4"}, DType::f32},
                      {"Q8_0", {.format = "Q8_0"}, DType::bf16},
                      {"Q4_0", {.format = "Q4_0"}, DType::bf16},
                      {"Q4_K", {.format = "Q4_K"}, DType::bf16},
                      {"Q5_K", {.format = "Q5_K"}, DType::bf16},
                      {"Q6_K", {.format = "Q6_K"}, DType::bf16}};

constexpr std::int64_t row_counts[] = {1, 4, 8, 512};

// What a format's product can reach: the arithmetic it is made of.
double peak_of(const Case& c, const FormatFacts& facts, const Peaks& peaks) {
  if (c.options.format == "int8") return peaks.int8_gops;
  if (facts.block_elements == 256 && peaks.int8_gops > 0) return peaks.int8_gops / 2;
  if (!facts.is_block() && c.compute == DType::bf16 && peaks.bf16_gflops > 0) return peaks.bf16_gflops;
  return peaks.fp32_gflops;
}

// Prints a line for each number of rows, and adds the seconds that all products of this shape take in a model.
void time_shape(Backend& backend, const Case& c, const Shape& shape, const QuantizedWeight& weight, const Peaks& peaks,
                double (&seconds_per_x)[4]) {
  const FormatFacts facts = format_facts(c.options.format);
  auto prepared = backend.prepare(weight.weight, {.compute = c.compute}, Purpose::linear_weights);
  const bool one = shape.per_layer < 0;
  std::vector<float> x(std::size_t(512 * shape.cols)), y(std::size_t((one ? 1 : 512) * shape.rows));
  std::minstd_rand random(1);
  for (float& v : x) v = float(random()) * 0x1p-30f - 1;
  const double bytes = double(weight.weight.code_bytes) +
                       double(weight.scales.bytes() + weight.nested_codes.bytes() + weight.nested_absmax.bytes());
  for (int i = 0; i < (one ? 1 : 4); ++i) {
    const std::int64_t m = row_counts[i];
    const double seconds =
        best_seconds(backend, **prepared, {x.data(), DType::f32, m, shape.cols}, {y.data(), DType::f32, m, shape.rows});
    // A model computes logits of the last position of a prompt alone.
    if (!one && (shape.per_layer || m < 512))
      seconds_per_x[i] += seconds * (shape.per_layer ? shape.per_layer * layers : 1);
    const double flops = 2.0 * double(m * shape.rows) * double(shape.cols) / seconds * 1e-9;
    const double gbs = bytes / seconds * 1e-9;
    fmt::print("{:<9} {:>6}x{:<5} {:>5} {:>9.3f} {:>8.1f} {:>9.1f} {:>6.0f}%\n", c.label, shape.rows, shape.cols, m,
               seconds * 1e3, gbs, flops, 100 * std::max(gbs / peaks.read_gbs, flops / peak_of(c, facts, peaks)));
  }
}

void run(const std::string& target, const std::string& only, int threads) {
  auto backend = make_cpu_backend({.threads = threads, .target = target});
  if (!backend) return fmt::print("{}: {}\n", target, backend.error().message);
  const Peaks peaks = measure_peaks(threads);
  fmt::print("{} threads: read {:.1f} GB/s, fp32 {:.0f} GFLOP/s, bf16 {:.0f} GFLOP/s, int8 {:.0f} GOP/s\n",
             peaks.threads, peaks.read_gbs, peaks.fp32_gflops, peaks.bf16_gflops, peaks.int8_gops);
  HostAllocator memory;
  ThreadPool pool(threads);
  fmt::print("{}\n{:<9} {:>12} {:>5} {:>9} {:>8} {:>9} {:>7}\n", (*backend)->name(), "format", "shape", "x", "ms",
             "GB/s", "GFLOP/s", "% peak");
  for (const Case& c : cases) {
    if (!only.empty() && only != c.label) continue;
    double seconds_per_x[4] = {};
    for (const Shape& shape : shapes) {
      const bool blocks = format_facts(c.options.format).is_block();
      const QuantizedWeight weight = blocks
                                         ? random_blocks(memory, format_facts(c.options.format), shape.rows, shape.cols)
                                         : random_weight(memory, pool, c.options, shape.rows, shape.cols);
      time_shape(**backend, c, shape, weight, peaks, seconds_per_x);
    }
    fmt::print(
        "{:<9} products of a 1.1B model alone, tokens/s: 1 row {:.1f}, 4 rows {:.1f}, 8 rows {:.1f}, prompt of 512 "
        "{:.0f}\n",
        c.label, 1 / seconds_per_x[0], 4 / seconds_per_x[1], 8 / seconds_per_x[2], 512 / seconds_per_x[3]);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) {
  const std::string target = argc > 1 ? argv[1] : "", format = argc > 2 ? argv[2] : "";
  nibble::run(target, format, argc > 3 ? std::atoi(argv[3]) : 0);
}
