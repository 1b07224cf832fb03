#include "ops/quantization.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/numeric.hpp"
#include "formats/all.hpp"
#include "ops/dequantize.hpp"
#include "ops/every_width.hpp"
#include "ops/quantization_vectors.hpp"
#include "ops/reference.hpp"

namespace nibble {
namespace {

struct Source {
  std::int64_t rows = 0, cols = 0;
  std::vector<float> values;

  static Source golden_matrix(const std::string& name) {
    const auto shape = golden().get<std::int64_t>(name + ".shape");
    return {shape.at(0), shape.at(1), golden().get<float>(name + ".values")};
  }
  ElementReader reader() const {
    return
        [this](std::int64_t first, std::int64_t count, float* out) { std::copy_n(values.begin() + first, count, out); };
  }
};

HostAllocator& memory() {
  static HostAllocator allocator;
  return allocator;
}

// Every format; with block scales, small blocks, larger ones with nested scales, and the largest.
std::vector<QuantizeOptions> every_format() {
  std::vector<QuantizeOptions> all;
  for_each_format(
      [&]<class F>() {
        if (TableFormat<F>)
          for (const auto& [block, nested] : {std::pair{32, false}, {32, true}, {64, true}, {4096, false}})
            all.push_back({F::name, block, nested});
        else
          all.push_back({F::name});
      },
      AllFormats{});
  return all;
}
std::vector<QuantizeOptions> every_format_with_block_scales() {
  std::vector<QuantizeOptions> all = every_format();
  std::erase_if(all, [](const QuantizeOptions& o) { return format_facts(o.format).kind != FormatKind::table; });
  return all;
}

QuantizedWeight quantized(const Source& source, const QuantizeOptions& options, int threads = 2) {
  ThreadPool pool(threads);
  auto out = allocate_quantized(memory(), options, source.rows, source.cols, Purpose::linear_weights, Purpose::scales);
  EXPECT_TRUE(out) << out.error().message;
  const auto done = quantize(source.reader(), *out, pool);
  EXPECT_TRUE(done) << done.error().message;
  return std::move(out).value();
}

template <class T>
std::vector<T> bytes_as(const Weight& weight) {
  std::vector<T> values(weight.code_bytes / sizeof(T));
  std::memcpy(values.data(), weight.codes, weight.code_bytes);
  return values;
}

// Bits, so that -0 and 0 differ.
std::vector<std::uint32_t> bits(std::span<const float> values) {
  std::vector<std::uint32_t> out;
  for (const float value : values) out.push_back(std::bit_cast<std::uint32_t>(value));
  return out;
}

std::string key(const std::string& matrix, const std::string& kind, int block) {
  return matrix + "." + kind + "." + std::to_string(block);
}

template <class Check>
void for_each_4bit_golden(Check&& check) {
  at_every_width([&] {
    for (const std::string matrix : {"normal", "bf16", "odd", "special", "huge"})
      for (const int block : {32, 64, 128, 256, 512, 1024, 2048, 4096}) {
        SCOPED_TRACE(key(matrix, "4-bit", block));
        check(matrix, block);
      }
  });
}

TEST(Quantize, Nf4CodesAndScalesAreTheBytesOfBitsandbytesOnACpu) {
  for_each_4bit_golden([](const std::string& matrix, int block) {
    const auto ours = quantized(Source::golden_matrix(matrix), {"nf4", block});
    EXPECT_EQ(bytes_as<std::uint8_t>(ours.weight), golden().get<std::uint8_t>(key(matrix, "nf4", block) + ".codes"));
    EXPECT_EQ(bits(ours.weight.scales), bits(golden().get<float>(key(matrix, "nf4", block) + ".absmax")));
  });
}

TEST(Quantize, Fp4CodesAndScalesFollowTheRuleOfTheCudaKernel) {
  for_each_4bit_golden([](const std::string& matrix, int block) {
    const auto ours = quantized(Source::golden_matrix(matrix), {"fp4", block});
    EXPECT_EQ(bytes_as<std::uint8_t>(ours.weight),
              golden().get<std::uint8_t>(key(matrix, "fp4_cuda", block) + ".codes"));
    EXPECT_EQ(bits(ours.weight.scales), bits(golden().get<float>(key(matrix, "fp4_cuda", block) + ".absmax")));
  });
}

TEST(Quantize, Int8CodesAndScalesAreTheBytesOfBitsandbytesOnACpu) {
  at_every_width([] {
    for (const std::string matrix : {"normal", "bf16", "odd", "special"}) {
      SCOPED_TRACE(matrix);
      const auto ours = quantized(Source::golden_matrix(matrix), {"int8"});
      EXPECT_EQ(bytes_as<std::int8_t>(ours.weight), golden().get<std::int8_t>(matrix + ".int8.codes"));
      EXPECT_EQ(bits(ours.weight.scales), bits(golden().get<float>(matrix + ".int8.absmax")));
    }
  });
}

TEST(Quantize, EveryReadOfEveryFormatGivesTheValuesOfTheReference) {
  Source source;
  source.rows = 7;
  source.cols = 333;  // odd, so that rows and reads begin inside of blocks and bytes
  for (std::int64_t i = 0; i < source.rows * source.cols; ++i)
    source.values.push_back(float(i * 7919 % 65521) / 32768.0f - 1);
  const std::int64_t elements = source.rows * source.cols;
  for (const QuantizeOptions& options : every_format()) {
    SCOPED_TRACE(options.format);
    const auto ours = quantized(source, options);
    at_every_width([&] {
      const ElementReader read = reader_of(ours.weight);
      for (const std::int64_t first : {std::int64_t(0), std::int64_t(1), std::int64_t(31), std::int64_t(334)})
        for (const std::int64_t count : {std::int64_t(1), std::int64_t(2), std::int64_t(97), elements - first}) {
          std::vector<float> values(std::size_t(count), 7.0f);
          read(first, count, values.data());
          for (std::int64_t i = 0; i < count; ++i)
            ASSERT_EQ(values[std::size_t(i)], decode_element(ours.weight, first + i)) << first << " " << i;
        }
    });
  }
}

// The sixteen values of a block are rounded instead of its weights: the same 16 bits, for scales of every size, blocks
// cut short, and nested scales; and the same weight is named where one does not fit.
TEST(Quantize, CodesBecomeSixteenBitsByOneRoundingOfTheirValues) {
  Source source;
  source.rows = 5;
  source.cols = 1021;
  for (std::int64_t i = 0; i < source.rows * source.cols; ++i)
    source.values.push_back(float(i * 7919 % 65521) / 32768.0f - 1);
  const auto expect_rounded = [&](const Weight& weight, std::string_view format, ThreadPool& pool) {
    HostAllocator memory;
    auto out = allocate_quantized(memory, {.format = format}, source.rows, source.cols, Purpose::linear_weights,
                                  Purpose::scales);
    ASSERT_TRUE(out);
    const auto done = quantize(reader_of(weight), *out, pool);
    const auto encode = [&](float x) { return format == "bf16" ? float_to_bf16(x) : float_to_f16(x); };
    const auto value = [&](std::uint16_t code) { return format == "bf16" ? bf16_to_float(code) : f16_to_float(code); };
    const auto* codes = out->codes.as<std::uint16_t>();
    for (std::int64_t i = 0; i < weight.elements(); ++i) {
      const std::uint16_t expected = encode(decode_element(weight, i));
      if (std::isfinite(value(expected))) {
        ASSERT_EQ(codes[i], expected) << i;
        continue;
      }
      ASSERT_FALSE(done) << i;
      EXPECT_NE(done.error().message.find(fmt::format("row {}, column {} ", i / weight.cols, i % weight.cols)),
                std::string::npos)
          << done.error().message;
      return;
    }
    EXPECT_TRUE(done) << done.error().message;
  };
  ThreadPool pool(2);
  for (const QuantizeOptions& options : every_format_with_block_scales()) {
    const auto made = quantized(source, options);
    for (const std::string_view format : {"bf16", "fp16"})
      at_every_width([&] {
        expect_rounded(made.weight, format, pool);
        if (options.double_quant) return;
        // The last block's scale: fp16 and fp32 denormals, the ends of fp16 and fp32, and no numbers at all.
        for (const float scale :
             {0.0f, 0x1p-149f, 0x1.8p-140f, 0x1p-126f, 0x1.234p-24f, 0x1.555p-15f, 65504.0f, 65520.0f, 0x1.fep127f,
              0x1.fffffep127f, INFINITY, -INFINITY, float(NAN), -float(NAN)}) {
          SCOPED_TRACE(scale);
          std::vector<float> scales(made.weight.scales.begin(), made.weight.scales.end());
          scales.back() = scale;
          Weight changed = made.weight;
          changed.scales = scales;
          expect_rounded(changed, format, pool);
        }
      });
  }
}

TEST(Quantize, DecodingStaysWithinHalfAStepOfTheSource) {
  const Source source = Source::golden_matrix("normal");
  // Half a step is known to one rounding of its scale and one of the product.
  const auto expect_within = [&](const Weight& weight, auto half_step) {
    for (std::int64_t i = 0; i < weight.elements(); ++i)
      ASSERT_LE(std::fabs(decode_element(weight, i) - source.values[std::size_t(i)]), half_step(i))
          << weight.format << " " << i;
  };
  for_each_format(
      [&]<class F>() {
        const auto ours = quantized(source, {F::name});
        if constexpr (TableFormat<F>) {
          std::vector<float> table(ours.weight.table.begin(), ours.weight.table.end());
          std::sort(table.begin(), table.end());
          float widest = 0;  // between neighbours
          for (int i = 0; i < 15; ++i) widest = std::max(widest, table[i + 1] - table[i]);
          expect_within(ours.weight, [&](std::int64_t i) { return widest / 2 * ours.weight.scale(i / 64) * 1.00001f; });
        } else if constexpr (RowCodeFormat<F>) {  // and the rounding to fp16 that comes first
          expect_within(ours.weight, [&](std::int64_t i) {
            return ours.weight.scale(i / source.cols) * F::step / 2 * 1.00001f +
                   std::fabs(source.values[std::size_t(i)]) * 0x1p-11f + 0x1p-25f;
          });
        }
      },
      AllFormats{});
}

TEST(Quantize, DenseFormatsRoundOnce) {
  const Source source = Source::golden_matrix("normal");
  for_each_format(
      [&]<class F>() {
        if constexpr (DenseFormat<F>) {
          at_every_width([&] {
            const auto ours = quantized(source, {F::name});
            const auto codes = bytes_as<typename F::Code>(ours.weight);
            for (std::size_t i = 0; i < codes.size(); ++i) ASSERT_EQ(codes[i], F::encode(source.values[i]));
            EXPECT_TRUE(ours.weight.scales.empty());
          });
        }
      },
      AllFormats{});
}

// Large enough for several pieces and several threads.
Source long_source() {
  Source source{157, 1000, {}};
  std::uint32_t state = 1;
  for (std::int64_t i = 0; i < source.rows * source.cols; ++i) {
    state = state * 1664525u + 1013904223u;
    source.values.push_back((float(state >> 8) * 0x1p-24f - 0.5f) * 0.1f);
  }
  return source;
}

TEST(Quantize, AnyNumberOfThreadsGivesTheSameBytes) {
  const Source source = long_source();
  for (const QuantizeOptions& options : every_format()) {
    const auto one = quantized(source, options, 1), many = quantized(source, options, 7);
    EXPECT_EQ(bytes_as<std::uint8_t>(one.weight), bytes_as<std::uint8_t>(many.weight));
    ASSERT_EQ(one.weight.nested.codes.size(), many.weight.nested.codes.size());
    EXPECT_TRUE(
        std::equal(one.weight.nested.codes.begin(), one.weight.nested.codes.end(), many.weight.nested.codes.begin()));
    EXPECT_EQ(bits(one.weight.nested.absmax), bits(many.weight.nested.absmax));
    EXPECT_EQ(bits(one.weight.scales), bits(many.weight.scales));
  }
}

TEST(Quantize, PiecesMeetWithoutASeam) {
  const Source source = long_source();
  const auto ours = quantized(source, {"nf4", 64});
  for (std::int64_t i = 0; i < ours.weight.elements() / 64 * 64; ++i) {
    const auto byte = std::uint8_t(ours.weight.codes[i / 2]);
    ASSERT_EQ(i % 2 ? byte & 15 : byte >> 4, Nf4::encode(source.values[i] * (1.0f / ours.weight.scales[i / 64]))) << i;
  }
}

TEST(Quantize, ABadWeightIsNamedByRowAndColumn) {
  for (const QuantizeOptions& options : every_format())
    for (const float value : {std::numeric_limits<float>::quiet_NaN(), -INFINITY, std::bit_cast<float>(0x7fffffffu)}) {
      Source source = long_source();
      source.values[99 * 1000 + 7] = value;
      source.values[150 * 1000 + 3] = value;
      ThreadPool pool(3);
      auto out =
          allocate_quantized(memory(), options, source.rows, source.cols, Purpose::linear_weights, Purpose::scales);
      const auto done = quantize(source.reader(), *out, pool);
      ASSERT_FALSE(done) << options.format;
      EXPECT_EQ(done.error().code, Errc::corrupt_file);
      EXPECT_NE(done.error().message.find("row 99, column 7"), std::string::npos) << done.error().message;
    }
}

TEST(Quantize, AWeightBeyondFp16IsRefusedWhereFp16Matters) {
  const auto refused = [](std::string_view format, float value) {
    const Source source{1, 2, {1, value}};
    ThreadPool pool(1);
    auto out = allocate_quantized(memory(), {format}, 1, 2, Purpose::linear_weights, Purpose::scales);
    const auto done = quantize(source.reader(), *out, pool);
    EXPECT_TRUE(done || done.error().message.find("column 1 is 65520") != std::string::npos) << done.error().message;
    return !done;
  };
  for (const std::string_view format : {"int8", "fp16"}) {
    EXPECT_TRUE(refused(format, 65520.0f));   // halfway between the largest fp16 and the next power: rounds to infinity
    EXPECT_FALSE(refused(format, 65519.9f));  // rounds to 65504
  }
  EXPECT_FALSE(refused("nf4", 65520.0f));
}

TEST(Quantize, WrongRequestsAreRefused) {
  const auto message = [](QuantizeOptions options, std::int64_t rows, std::int64_t cols) {
    const auto out = allocate_quantized(memory(), options, rows, cols, Purpose::linear_weights, Purpose::scales);
    return out ? std::string() : out.error().message;
  };
  EXPECT_NE(message({"q4_k"}, 2, 2).find("\"q4_k\"; known are fp32, fp16"), std::string::npos);
  for (const int block : {-64, 0, 16, 48, 8192})
    EXPECT_NE(message({"nf4", block}, 2, 2).find("block size"), std::string::npos) << block;
  EXPECT_NE(message({"int8", 64, true}, 2, 2).find("no block scales"), std::string::npos);
  EXPECT_NE(message({"nf4"}, std::int64_t(1) << 40, 2).find("limit"), std::string::npos);
  EXPECT_NE(message({"nf4"}, -1, 2).find("limit"), std::string::npos);
  EXPECT_EQ(message({"int8", 48}, 2, 2), "");  // no blocks, so their size does not matter
}

TEST(Quantize, CountingGivesTheBytesThatAreTaken) {
  for (const QuantizeOptions& options : every_format()) {
    CountingAllocator counting;
    HostAllocator host;
    const auto counted = allocate_quantized(counting, options, 61, 171, Purpose::linear_weights, Purpose::scales);
    const auto taken = allocate_quantized(host, options, 61, 171, Purpose::linear_weights, Purpose::scales);
    ASSERT_TRUE(counted && taken);
    EXPECT_EQ(counted->weight.codes, nullptr);
    EXPECT_EQ(counting.use().now, host.use().now);
    EXPECT_EQ(counting.use().now[int(Purpose::linear_weights)], taken->weight.code_bytes);
  }
}

TEST(Quantize, AnEmptyMatrixIsFine) {
  for (const QuantizeOptions& options : every_format())
    EXPECT_EQ(quantized({0, 64, {}}, options).weight.code_bytes, 0u) << options.format;
}

}  // namespace
}  // namespace nibble
