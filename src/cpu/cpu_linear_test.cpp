// Products of every target that this processor has, against the plain reference and against themselves.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "base/numeric.hpp"
#include "cpu/cpu_backend.hpp"
#include "formats/all.hpp"
#include "ops/quantize.hpp"
#include "ops/reference.hpp"

namespace nibble {
namespace {

struct Case {
  std::string format;
  int block = 64;
  bool nested = false;
  DType compute = DType::f32;
};

std::vector<std::string> targets_here() {
  std::vector<std::string> found;
  for (const char* name : {"scalar", "avx2", "avx512", "avx512_vnni_bf16"})
    if (make_cpu_backend({.threads = 1, .target = name})) found.push_back(name);
  return found;
}

std::vector<float> random_values(std::size_t count, unsigned seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float& v : values) v = normal(random);
  return values;
}

// Blocks of any bytes, but with scales (where each type has its fp16 numbers) that keep values small.
std::vector<std::byte> random_blocks(const FormatFacts& facts, std::int64_t elements) {
  std::mt19937 random(29);
  std::vector<std::byte> bytes(facts.code_bytes(std::uint64_t(elements)));
  for (std::byte& byte : bytes) byte = std::byte(random());
  for (std::size_t block = 0; block < bytes.size(); block += std::size_t(facts.block_bytes)) {
    const auto scale = [&](int at) {
      const std::uint16_t bits = float_to_f16(float(random() % 1000) * 1e-5f - 0.005f);
      std::memcpy(bytes.data() + block + at, &bits, sizeof bits);
    };
    scale(facts.name == "Q6_K" ? 208 : 0);
    if (facts.name == "Q4_1" || facts.name == "Q5_1" || facts.name == "Q4_K" || facts.name == "Q5_K") scale(2);
  }
  return bytes;
}

struct Problem {
  // Columns are rounded up to whole blocks.
  Problem(const Case& c, std::int64_t rows, std::int64_t cols, std::int64_t m)
      : m(m), options{.compute = c.compute}, pool(1) {
    const FormatFacts facts = format_facts(c.format);
    cols = (cols + facts.block_elements - 1) / facts.block_elements * facts.block_elements;
    x = random_values(std::size_t(m * cols), 11);
    for (std::size_t i = 5; i < x.size(); i += 97) x[i] *= 8;  // some reach the outlier threshold
    bias = random_values(std::size_t(rows), 13);
    before = random_values(std::size_t(m * rows), 17);
    if (facts.is_block()) {
      blocks = random_blocks(facts, rows * cols);
      Weight& weight = quantized.weight;
      weight.format = facts.name, weight.rows = rows, weight.cols = cols;
      weight.codes = blocks.data(), weight.code_bytes = blocks.size();
      return;
    }
    const auto values = random_values(std::size_t(rows * cols), 7, 0.05f);
    auto made = allocate_quantized(memory, {.format = c.format, .block_size = c.block, .double_quant = c.nested}, rows,
                                   cols, Purpose::linear_weights, Purpose::scales);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    quantized = std::move(*made);
    EXPECT_TRUE(quantize([&](std::int64_t first, std::int64_t count,
                             float* out) { std::memcpy(out, values.data() + first, std::size_t(count) * 4); },
                         quantized, pool));
  }
  const Weight& weight() const { return quantized.weight; }

  // y += x W^T + bias, for rows [first, first + count) of x.
  std::vector<float> product(Backend& backend, std::int64_t first, std::int64_t count, bool add = true) {
    auto prepared = backend.prepare(weight(), options, Purpose::linear_weights);
    const std::int64_t n = weight().rows, k = weight().cols;
    std::vector<float> y(before.begin() + first * n, before.begin() + (first + count) * n);
    const LinearTask task{prepared->get(), bias.data(), {y.data(), DType::f32, count, n}};
    backend.linear({&task, 1}, {x.data() + first * k, DType::f32, count, k}, add);
    return y;
  }

  HostAllocator memory;
  std::int64_t m;
  ComputeOptions options;
  ThreadPool pool;
  QuantizedWeight quantized;
  std::vector<std::byte> blocks;
  std::vector<float> x, bias, before;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const DType compute : {DType::f32, DType::bf16, DType::f16}) {
    for (const char* dense : {"fp32", "fp16", "bf16", "int8"}) all.push_back({dense, 64, false, compute});
    for (const char* table : {"nf4", "fp4"})
      for (const int block : {32, 64, 128, 256, 4096})
        for (const bool nested : {false, true}) all.push_back({table, block, nested, compute});
    if (compute != DType::f16)
      for_each_format([&]<class B>() { all.push_back({std::string(B::name), 64, false, compute}); }, BlockFormats{});
  }
  return all;
}

std::string describe(const Case& c, const std::string& target, std::int64_t rows, std::int64_t cols, std::int64_t m) {
  return fmt::format("{} {} block {} nested {} compute {} shape {}x{} x {}", target, c.format, c.block, c.nested,
                     name_of(c.compute), rows, cols, m);
}

// Of a weight in Q4_K or Q5_K, the size of the minimum that is added in it, which meets activations on its own.
double minimum_of(const Weight& w, std::int64_t element) {
  if (w.format != BlockQ4_K::name && w.format != BlockQ5_K::name) return 0;
  const std::byte* block = w.codes + element / 256 * format_facts(w.format).block_bytes;
  return std::fabs(f16_in_block(block + 2)) * KScale(block + 4, int(element % 256 / 32)).minimum;
}

// Each fp32 sum of n terms, in any order and with one rounding of the product, the scale and the sum, differs from the
// exact one by at most gamma(n + 4) * sum |x w| (Higham, "Accuracy and Stability", 3.1). bf16 instructions flush
// denormals, which is far below that.
void expect_close(const Problem& p, const std::vector<float>& got, const std::vector<float>& want,
                  const std::string& what) {
  const Weight& w = p.weight();
  const double u = 0x1p-24, terms = double(w.cols) + 8, gamma = terms * u / (1 - terms * u);
  const auto table = rounded_table(w, p.options.compute);
  std::vector<float> row(std::size_t(w.cols));
  // Blocks of 256: activations in integers up to 32767, so each may be half a step of the largest of its 256 away, and
  // the integer's own scale is rounded three times.
  const bool fixed = format_facts(w.format).block_elements == 256 && p.options.compute != DType::f32;
  for (std::int64_t c = 0; c < w.rows; ++c) {
    decode_row(w, c, row.data(), table.data());
    for (std::int64_t r = 0; r < p.m; ++r) {
      double steps = 0;
      for (std::int64_t first = 0; fixed && first < w.cols; first += 256) {
        double most = 0, sum = 0;
        for (std::int64_t i = first; i < first + 256; ++i) {
          most = std::max(most, std::fabs(double(p.x[std::size_t(r * w.cols + i)])));
          sum += std::fabs(row[std::size_t(i)]);
        }
        steps += sum * most * (0.5 / 32767) * 1.01;
      }
      double size = std::fabs(p.bias[std::size_t(c)]) + std::fabs(p.before[std::size_t(r * w.rows + c)]);
      for (std::int64_t i = 0; i < w.cols; ++i)
        size += std::fabs(double(p.x[std::size_t(r * w.cols + i)])) *
                (std::fabs(row[std::size_t(i)]) + (fixed ? 2 * minimum_of(w, c * w.cols + i) : 0));
      const auto at = std::size_t(r * w.rows + c);
      ASSERT_LE(std::fabs(double(got[at]) - want[at]), gamma * size * 1.01 + steps)
          << what << " row " << r << " column " << c;
    }
  }
}

TEST(CpuLinear, EveryTargetAndFormatIsWithinTheBoundOfTheReference) {
  const auto reference = make_reference_backend();
  constexpr struct { std::int64_t rows, cols; } shapes[] = {{64, 128}, {172, 64}, {7, 172}, {9, 96}, {33, 320}};
  for (const auto& target : targets_here()) {
    auto backend = make_cpu_backend({.threads = 2, .target = target});
    for (const Case& c : cases())
      for (const auto& [rows, cols] : shapes)
        for (const std::int64_t m : {1, 2, 3, 5, 9, 33}) {
          Problem p(c, rows, cols, m);
          expect_close(p, p.product(**backend, 0, m), p.product(*reference, 0, m), describe(c, target, rows, cols, m));
          if (HasFatalFailure()) return;
        }
  }
}

// A register tile's share of k ends before the row does: what waits in scratch in between must be all of it.
TEST(CpuLinear, LongRowsAreCutIntoPiecesThatAddUp) {
  const auto reference = make_reference_backend();
  for (const auto& target : targets_here()) {
    auto backend = make_cpu_backend({.threads = 2, .target = target});
    for (const Case& c : {Case{"fp32"}, Case{"fp16"}, Case{"bf16", 64, false, DType::bf16}, Case{"int8"},
                          Case{"Q4_K", 64, false, DType::bf16}, Case{"Q6_K", 64, false, DType::bf16},
                          Case{"nf4", 64, true, DType::bf16}, Case{"nf4", 32, true, DType::bf16}})
      for (const std::int64_t cols : {4352, 9088}) {
        Problem p(c, 20, cols, 14);
        const auto together = p.product(**backend, 0, 14);
        expect_close(p, together, p.product(*reference, 0, 14), describe(c, target, 20, cols, 14));
        if (HasFatalFailure()) return;
        if (c.format == "int8") continue;  // its outlier columns are a property of the whole batch
        const auto alone = p.product(**backend, 9, 1);
        ASSERT_EQ(std::memcmp(alone.data(), together.data() + 9 * 20, 20 * sizeof(float)), 0)
            << describe(c, target, 20, cols, 14);
      }
  }
}

// Columns with outliers are gathered four bytes at a time, which the last row's last columns do not have behind them.
TEST(CpuLinear, Int8OutliersMayStandInEveryColumn) {
  const auto reference = make_reference_backend();
  for (const auto& target : targets_here()) {
    auto backend = make_cpu_backend({.threads = 2, .target = target});
    for (const std::int64_t m : {1, 3, 13}) {
      Problem p({"int8"}, 36, 128, m);
      for (float& value : p.x) value = value < 0 ? value - 6 : value + 6;
      expect_close(p, p.product(**backend, 0, m), p.product(*reference, 0, m), target);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(CpuLinear, TheSameBitsForAnyNumberOfThreads) {
  for (const auto& target : targets_here()) {
    auto one = make_cpu_backend({.threads = 1, .target = target});
    for (const int threads : {2, 3, 5}) {
      auto many = make_cpu_backend({.threads = threads, .target = target});
      for (const Case& c : cases())
        for (const std::int64_t m : {1, 6, 37}) {
          Problem p(c, 172, 256, m);
          const auto a = p.product(**one, 0, m), b = p.product(**many, 0, m);
          ASSERT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0)
              << describe(c, target, 172, 256, m) << " threads " << threads;
        }
    }
  }
}

TEST(CpuLinear, ARowGivesTheSameBitsAloneAndBesideOthers) {
  for (const auto& target : targets_here()) {
    auto backend = make_cpu_backend({.threads = 2, .target = target});
    for (Case c : cases())
      for (const std::int64_t cols : {256, 172})
        for (const std::int64_t m : {2, 4, 5, 8, 33, 70}) {
          Problem p(c, 52, cols, m);
          p.options.outlier_threshold = 0;  // outlier columns are a property of the whole batch, as in bitsandbytes
          const auto together = p.product(**backend, 0, m);
          for (std::int64_t r = 0; r < m; ++r) {
            const auto alone = p.product(**backend, r, 1);
            ASSERT_EQ(std::memcmp(alone.data(), together.data() + r * 52, 52 * sizeof(float)), 0)
                << describe(c, target, 52, cols, m) << " row " << r;
          }
        }
  }
}

TEST(CpuLinear, Int8WithoutOutliersIsTheExactIntegerProductScaledOnce) {
  for (const auto& target : targets_here()) {
    auto backend = make_cpu_backend({.threads = 2, .target = target});
    Problem p({"int8"}, 20, 128, 3);
    p.options.outlier_threshold = 0;
    for (auto& code : std::span(p.quantized.codes.as<std::int8_t>(), 20 * 128)) code = -127;
    for (float& value : p.x) value = -2;
    const auto y = p.product(**backend, 0, 3, false);
    for (std::int64_t r = 0; r < 3; ++r)
      for (std::int64_t c = 0; c < 20; ++c) {
        const double want = 2.0 * 128 * p.weight().scales[std::size_t(c)] + p.bias[std::size_t(c)];
        EXPECT_NEAR(
            y[std::size_t(r * 20 + c)], want,
            4 * 0x1p-24 *
                (std::fabs(want) + 2 * std::fabs(p.bias[std::size_t(c)]) + 256 * p.weight().scales[std::size_t(c)]))
            << target;
      }
  }
}

// An overflow upstream must not look like an answer. Integers hold no infinity; the scale beside them does.
TEST(CpuLinear, WhatIsNotANumberStaysSo) {
  for (const auto& target : targets_here()) {
    auto backend = make_cpu_backend({.threads = 1, .target = target});
    for (const char* format : {"bf16", "nf4", "Q8_0", "Q4_K", "Q5_K", "Q6_K"})
      for (const float value : {INFINITY, -INFINITY, float(NAN), -float(NAN)})
        for (const std::int64_t m : {1, 7}) {
          Problem p({format, 64, false, DType::bf16}, 16, 512, m);
          p.x[std::size_t((m - 1) * 512 + 300)] = value;
          const auto y = p.product(**backend, 0, m);
          for (std::int64_t r = 0; r < m; ++r)
            for (std::int64_t c = 0; c < 16; ++c)
              ASSERT_EQ(std::isfinite(y[std::size_t(r * 16 + c)]), r < m - 1) << target << " " << format << " " << c;
        }
  }
}

TEST(CpuLinear, AViewWithAStrideReadsAndWritesOnlyItsColumns) {
  for (const auto& target : targets_here()) {
    auto backend = make_cpu_backend({.threads = 2, .target = target});
    Problem p({"nf4"}, 64, 128, 3);
    const auto want = p.product(**backend, 0, 3, false);
    std::vector<float> wide_x(3 * 200, 1e30f), wide_y(3 * 100, 42);
    for (std::int64_t r = 0; r < 3; ++r)
      std::memcpy(wide_x.data() + r * 200, p.x.data() + r * 128, 128 * sizeof(float));
    TensorView x(wide_x.data(), DType::f32, 3, 200), y(wide_y.data(), DType::f32, 3, 100);
    auto prepared = (*backend)->prepare(p.weight(), p.options, Purpose::linear_weights);
    const LinearTask task{prepared->get(), p.bias.data(), y.columns_from(10, 64)};
    (*backend)->linear({&task, 1}, x.columns_from(0, 128), false);
    for (std::int64_t r = 0; r < 3; ++r)
      for (std::int64_t c = 0; c < 100; ++c)
        ASSERT_EQ(wide_y[std::size_t(r * 100 + c)], c < 10 || c >= 74 ? 42.0f : want[std::size_t(r * 64 + c - 10)])
            << target;
  }
}

TEST(CpuBackend, UnknownTargetsAndThreadCountsAreRefusedWithTheChoices) {
  const auto unknown = make_cpu_backend({.threads = 1, .target = "sse9"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::bad_request);
  EXPECT_NE(unknown.error().message.find("avx512_vnni_bf16"), std::string::npos);
  EXPECT_FALSE(make_cpu_backend({.threads = -1, .target = ""}));
  EXPECT_TRUE(make_cpu_backend({.threads = 1, .target = "scalar"}));
}

}  // namespace
}  // namespace nibble
