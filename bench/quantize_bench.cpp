// Quantizing and dequantizing one matrix as a conversion does, piece by piece, in GB/s of the 16- or 32-bit side;
// beside it what copying that side costs. Usage: quantize_bench [threads] [rows cols]
#include <fmt/format.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/numeric.hpp"
#include "base/thread_pool.hpp"
#include "base/widest.hpp"
#include "ops/dequantize.hpp"
#include "ops/quantization.hpp"

namespace nibble {
namespace {

template <class Work>
double best_seconds(Work work) {
  double best = 1e9;
  for (int i = 0; i < 7; ++i) {
    const double start = now_seconds();
    work();
    best = std::min(best, now_seconds() - start);
  }
  return best;
}

// A source of 16 bits, as a mapped checkpoint is read.
template <float (*Decode)(std::uint16_t)>
ElementReader reader(const std::vector<std::uint16_t>& codes) {
  return [&codes](std::int64_t first, std::int64_t count, float* out) {
    at_widest(
        [](const std::uint16_t* from, std::int64_t count, float* out) NIBBLE_INLINE_LOOP {
          for (std::int64_t i = 0; i < count; ++i) out[i] = Decode(from[i]);
        },
        codes.data() + first, count, out);
  };
}

void run(int threads, std::int64_t rows, std::int64_t cols) {
  const auto elements = std::size_t(rows * cols);
  std::vector<std::uint16_t> bf16(elements), f16(elements);
  std::minstd_rand random(1);
  std::normal_distribution<float> normal(0, 0.02f);
  for (std::size_t i = 0; i < elements; ++i) {
    const float x = i < 1000000 ? normal(random) : bf16_to_float(bf16[i - 1000000]);
    bf16[i] = float_to_bf16(x);
    f16[i] = float_to_f16(x);
  }
  ThreadPool pool(threads);
  HostAllocator memory;
  constexpr std::int64_t piece = 4096;
  std::vector<float> scratch(std::size_t(threads * piece));
  const std::int64_t pieces = (rows * cols + piece - 1) / piece;
  const auto each_piece = [&](auto work) {
    pool.run(pieces, [&](std::int64_t p, int thread) {
      work(p * piece, std::min(piece, rows * cols - p * piece), scratch.data() + thread * piece);
    });
  };
  const double bytes16 = double(elements) * 2e-9, bytes32 = double(elements) * 4e-9;
  const ElementReader from_bf16 = reader<bf16_to_float>(bf16), from_f16 = reader<f16_to_float>(f16);
  auto back = allocate_quantized(memory, {.format = "bf16"}, rows, cols, Purpose::linear_weights, Purpose::scales);
  if (!back) {
    fmt::print("{}\n", back.error().message);
    std::exit(1);
  }
  const double widened = best_seconds([&] { each_piece(from_bf16); });
  const double copied = best_seconds([&] {
    each_piece([&](std::int64_t first, std::int64_t count, float*) {
      std::copy_n(bf16.data() + first, count, back->codes.as<std::uint16_t>() + first);
    });
  });
  fmt::print("{} x {}, {} thread{}; bf16 widened to fp32 in cache {:.2f} GB/s, copied {:.2f} GB/s\n", rows, cols,
             threads, threads > 1 ? "s" : "", bytes16 / widened, bytes16 / copied);
  fmt::print("{:<16} {:>14} {:>14} {:>14} {:>16}\n", "format", "from bf16 GB/s", "from fp16 GB/s", "to fp32 GB/s",
             "to bf16 in memory");
  for (const QuantizeOptions& options : {QuantizeOptions{.format = "nf4"},
                                         {.format = "nf4", .double_quant = true},
                                         {.format = "fp4"},
                                         {.format = "int8"},
                                         {.format = "bf16"}}) {
    auto made = allocate_quantized(memory, options, rows, cols, Purpose::linear_weights, Purpose::scales);
    if (!made) {
      fmt::print("{}\n", made.error().message);
      std::exit(1);
    }
    double seconds[4];
    seconds[0] = best_seconds([&] { (void)quantize(from_bf16, *made, pool); });
    seconds[1] = best_seconds([&] { (void)quantize(from_f16, *made, pool); });
    const ElementReader values = reader_of(made->weight);
    seconds[2] = best_seconds([&] { each_piece(values); });
    seconds[3] = best_seconds([&] { (void)quantize(values, *back, pool); });
    fmt::print("{:<16} {:>14.2f} {:>14.2f} {:>14.2f} {:>16.2f}\n",
               std::string(options.format) + (options.double_quant ? " double-quant" : ""), bytes16 / seconds[0],
               bytes16 / seconds[1], bytes32 / seconds[2], bytes16 / seconds[3]);
  }
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  nibble::run(threads, argc > 3 ? std::atoll(argv[2]) : 4096, argc > 3 ? std::atoll(argv[3]) : 4096);
}
