// For tests: weights of every kind that the lists of formats allow, without knowing any format.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "formats/all.hpp"
#include "operations.hpp"
#include "ops/quantization.hpp"
#include "ops/reference.hpp"

namespace nibble {

struct KindOfWeight {
  std::string format;
  int block = 64;
  bool nested = false;

  std::string name() const { return fmt::format("{} block {}{}", format, block, nested ? " nested" : ""); }
};

// Every format; with block scales, blocks from the smallest to the largest, plain and nested.
inline std::vector<KindOfWeight> every_kind_of_weight() {
  std::vector<KindOfWeight> all;
  for_each_format(
      [&]<class F>() {
        if (!TableFormat<F>) return all.push_back({std::string(F::name)});
        for (const int block : {32, 64, 256, 1024, 4096})
          for (const bool nested : {false, true}) all.push_back({std::string(F::name), block, nested});
      },
      AllFormats{});
  for_each_format([&]<class B>() { all.push_back({std::string(B::name)}); }, BlockFormats{});
  return all;
}

// Blocks of any bytes whose values, and what is added in them, are numbers of middling size.
template <class B>
std::vector<std::byte> random_blocks(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  const auto acceptable = [](const std::byte* block) {
    float largest = 0;
    for (int i = 0; i < B::elements; ++i) {
      float size = std::fabs(B::value(block, i));
      if constexpr (requires { B::offset(block, i); }) size = std::max(size, std::fabs(B::offset(block, i)));
      if (!(size <= 1)) return false;
      largest = std::max(largest, size);
    }
    return largest >= 0.01f;
  };
  constexpr std::int64_t different = 64;  // to choose from
  std::vector<std::byte> pool(std::size_t(different * B::bytes)), out;
  for (std::int64_t i = 0; i < different; ++i) {
    std::byte* block = pool.data() + i * B::bytes;
    do
      for (int b = 0; b < B::bytes; ++b) block[b] = std::byte(random());
    while (!acceptable(block));
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const auto first = pool.begin() + std::int64_t(random() % different) * B::bytes;
    out.insert(out.end(), first, first + B::bytes);
  }
  return out;
}

// A weight with random values and the memory it lies in. Columns are rounded up to whole blocks of the format.
class AnyWeight {
 public:
  AnyWeight(const KindOfWeight& kind, std::int64_t rows, std::int64_t cols, unsigned seed = 7) {
    const FormatFacts facts = format_facts(kind.format);
    cols = (cols + facts.block_elements - 1) / facts.block_elements * facts.block_elements;
    const auto fill_blocks = [&]<class B>() { blocks_ = random_blocks<B>(rows * cols / B::elements, seed); };
    if (visit_format(kind.format, fill_blocks, BlockFormats{})) {
      Weight& weight = quantized_.weight;
      weight.format = facts.name;
      weight.rows = rows;
      weight.cols = cols;
      weight.codes = blocks_.data();
      weight.code_bytes = blocks_.size();
      return;
    }
    const auto values = random_values(rows * cols, seed, 0.05f);
    const QuantizeOptions options{.format = kind.format, .block_size = kind.block, .double_quant = kind.nested};
    auto made = allocate_quantized(memory_, options, rows, cols, Purpose::linear_weights, Purpose::scales);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    quantized_ = std::move(*made);
    ThreadPool pool(1);
    const auto read = [&](std::int64_t first, std::int64_t count, float* out) {
      std::copy_n(values.begin() + first, count, out);
    };
    EXPECT_TRUE(quantize(read, quantized_, pool));
  }
  const Weight& weight() const { return quantized_.weight; }
  Buffer& codes() { return quantized_.codes; }

 private:
  HostAllocator memory_;
  QuantizedWeight quantized_;
  std::vector<std::byte> blocks_;
};

// What is added to code times scale in an element, where its format has such a thing.
inline float offset_of(const Weight& weight, std::int64_t element) {
  float offset = 0;
  const auto of_block = [&]<class B>() {
    const std::byte* block = weight.codes + element / B::elements * B::bytes;
    if constexpr (requires { B::offset(block, 0); }) offset = B::offset(block, int(element % B::elements));
  };
  visit_format(weight.format, of_block, BlockFormats{});
  return offset;
}

}  // namespace nibble
