// The one list of what Nibble writes otherwise than bitsandbytes' CUDA kernels (on an H100), each with its reason, and
// how often each occurs in the golden vectors. Weights as models have them give the same bytes; all differences lie in
// matrices made of extremes.
//
//   flushed      CUDA treats numbers below the smallest normal one as zero: such a weight, and a block of nothing else.
//   A
//                block of zeros has the codes of -1 (nf4) there, which its absmax of 0 makes zeros.
//   reciprocal   above 2^126 the reciprocal of an absmax is below the smallest normal number, so CUDA loses the whole
//                block; Nibble keeps it, as the CPU code does.
//   middle       nf4 on the middle of two values: CUDA compares with decimal literals, one unit in the last place away.
//   mean         double quantization takes off the mean of the scales, whose last bit depends on the order of a sum.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "formats/all.hpp"
#include "ops/dequantize.hpp"
#include "ops/quantization.hpp"
#include "ops/quantization_vectors.hpp"

namespace nibble {
namespace {

constexpr float smallest_normal = 0x1p-126f;

HostAllocator& memory() {
  static HostAllocator allocator;
  return allocator;
}

QuantizedWeight quantized(const std::vector<float>& values, const QuantizeOptions& options, std::int64_t rows = 1) {
  ThreadPool pool(1);
  auto out = allocate_quantized(memory(), options, rows, std::int64_t(values.size()) / rows, Purpose::linear_weights,
                                Purpose::scales);
  const auto done =
      quantize([&](std::int64_t first, std::int64_t count, float* x) { std::copy_n(values.begin() + first, count, x); },
               *out, pool);
  EXPECT_TRUE(done);
  return std::move(out).value();
}

int nibble_of(const std::uint8_t* packed, std::int64_t i) { return i % 2 ? packed[i / 2] & 15 : packed[i / 2] >> 4; }

const char* reason(const std::string& format, float x, float absmax, float their_absmax, int theirs) {
  const int zero = format == "nf4" ? 7 : 0;
  if (absmax < smallest_normal && their_absmax == 0) return "flushed";
  if (std::fabs(x) < smallest_normal && theirs == zero) return "flushed";
  if (1 / absmax < smallest_normal && theirs == zero) return "reciprocal";
  const float t = std::clamp(x * (1 / absmax), -1.0f, 1.0f);
  for (int i = 0; i < 15; ++i) {
    const float middle = Nf4::middle(i);
    if (format == "nf4" && std::nextafter(t, middle) == middle) return "middle";  // it, or one of its neighbours
  }
  return "none";
}

TEST(DifferencesToBitsandbytesOnAGpu, FourBitCodesAndScalesDifferForTheseReasonsAlone) {
  std::map<std::string, int> seen;
  for (const std::string matrix : {"normal", "bf16", "odd", "special", "huge"})
    for (const std::string format : {"nf4", "fp4"})
      for (const int block : {32, 64, 128, 256, 512, 1024, 2048, 4096}) {
        const std::string key = matrix + "." + format + "." + std::to_string(block);
        const auto values = golden().get<float>(matrix + ".values");
        const auto theirs = golden_cuda().get<std::uint8_t>(key + ".codes");
        const auto their_absmax = golden_cuda().get<float>(key + ".absmax");
        const auto ours = quantized(values, {format, block});
        const auto* our_codes = reinterpret_cast<const std::uint8_t*>(ours.weight.codes);
        ASSERT_EQ(theirs.size(), ours.weight.code_bytes);
        ASSERT_EQ(their_absmax.size(), ours.weight.scales.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
          const int a = nibble_of(our_codes, std::int64_t(i)), b = nibble_of(theirs.data(), std::int64_t(i));
          const std::size_t at = i / std::size_t(block);
          if (a != b) ++seen[matrix + ": " + reason(format, values[i], ours.weight.scales[at], their_absmax[at], b)];
        }
        for (std::size_t b = 0; b < their_absmax.size(); ++b)
          if (their_absmax[b] != ours.weight.scales[b]) {
            EXPECT_EQ(their_absmax[b], 0) << key;
            EXPECT_LT(ours.weight.scales[b], smallest_normal) << key;
            ++seen[matrix + ": absmax flushed"];
          }
      }
  EXPECT_EQ(seen, (std::map<std::string, int>{{"special: flushed", 666},
                                              {"special: absmax flushed", 4},
                                              {"special: middle", 20},
                                              {"huge: flushed", 20},
                                              {"huge: absmax flushed", 2},
                                              {"huge: reciprocal", 1008}}));
}

TEST(DifferencesToBitsandbytesOnAGpu, Int8RowsHaveNone) {
  for (const std::string matrix : {"normal", "bf16", "odd", "special"}) {
    const auto shape = golden().get<std::int64_t>(matrix + ".shape");
    const auto ours = quantized(golden().get<float>(matrix + ".values"), {"int8"}, shape.at(0));
    const auto codes = golden_cuda().get<std::int8_t>(matrix + ".int8.codes");
    ASSERT_EQ(codes.size(), ours.weight.code_bytes);
    EXPECT_EQ(std::memcmp(codes.data(), ours.weight.codes, codes.size()), 0) << matrix;
    const auto absmax = golden_cuda().get<float>(matrix + ".int8.absmax");
    EXPECT_TRUE(std::equal(absmax.begin(), absmax.end(), ours.weight.scales.begin(), ours.weight.scales.end()));
  }
}

// Two sums of n numbers above zero in trees of log2(n) levels (and 8 columns each) differ by no more than both are off
// (Higham, "Accuracy and Stability", 4.2).
TEST(DifferencesToBitsandbytesOnAGpu, NestedScalesDifferByTheLastBitsOfTheirMean) {
  constexpr float u = 0x1p-24f, sum_error = 2 * (13 + 8) * u;
  std::map<std::string, int> codes;
  for (const std::string name : {"many", "wide", "five", "equal", "one"}) {
    std::vector<float> weights;  // blocks of 32 equal weights
    for (const float scale : golden().get<float>(name + ".scales")) weights.insert(weights.end(), 32, scale);
    const auto ours = quantized(weights, {"nf4", 32, true});
    const NestedScales& nested = ours.weight.nested;
    const float offset = golden_cuda().get<float>(name + ".nested.offset").at(0);
    EXPECT_LE(std::fabs(offset - nested.offset), sum_error * offset) << name;
    const auto absmax = golden_cuda().get<float>(name + ".nested.absmax");
    for (std::size_t b = 0; b < absmax.size(); ++b)
      EXPECT_LE(std::fabs(absmax[b] - nested.absmax[b]), std::fabs(offset - nested.offset) + 2 * u * absmax[b]) << name;
    const auto theirs = golden_cuda().get<std::uint8_t>(name + ".nested.codes");
    ASSERT_EQ(theirs.size(), nested.codes.size());
    for (std::size_t b = 0; b < theirs.size(); ++b) codes[name] += theirs[b] != nested.codes[b];
  }
  EXPECT_EQ(codes, (std::map<std::string, int>{{"many", 0}, {"wide", 0}, {"five", 0}, {"equal", 0}, {"one", 0}}));
}

// What a GPU wrote is read as the GPU reads it.
TEST(DifferencesToBitsandbytesOnAGpu, ReadingTheirBytesGivesTheirNumbers) {
  for (const std::string format : {"nf4", "fp4"})
    for (const int block : {32, 64, 128, 256, 512, 1024, 2048, 4096}) {
      const std::string key = "special." + format + "." + std::to_string(block);
      const auto codes = golden_cuda().get<std::uint8_t>(key + ".codes");
      const auto absmax = golden_cuda().get<float>(key + ".absmax"), values = golden_cuda().get<float>(key + ".read");
      auto weight = allocate_quantized(memory(), {format, block}, 1, std::int64_t(values.size()),
                                       Purpose::linear_weights, Purpose::scales);
      ASSERT_TRUE(weight);
      std::memcpy(weight->codes.as<std::uint8_t>(), codes.data(), codes.size());
      std::memcpy(weight->scales.as<float>(), absmax.data(), absmax.size() * sizeof(float));
      std::vector<float> read(values.size());
      reader_of(weight->weight)(0, std::int64_t(read.size()), read.data());
      for (std::size_t i = 0; i < read.size(); ++i) {
        if (std::fabs(read[i]) < smallest_normal) read[i] = 0;  // flushed there
        ASSERT_EQ(read[i], values[i]) << key << " " << i;
      }
    }
}

}  // namespace
}  // namespace nibble
