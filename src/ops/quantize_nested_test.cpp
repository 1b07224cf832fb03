#include <gtest/gtest.h>

#include <cmath>

#include "formats/dynamic_map.hpp"
#include "ops/every_width.hpp"
#include "ops/quantization.hpp"
#include "ops/quantization_vectors.hpp"

namespace nibble {
namespace {

HostAllocator& memory() {
  static HostAllocator allocator;
  return allocator;
}

// Blocks of 32 equal weights have that weight as their scale.
QuantizedWeight nested_of(const std::vector<float>& scales) {
  ThreadPool pool(2);
  auto out = allocate_quantized(memory(), {"nf4", 32, true}, std::int64_t(scales.size()), 32, Purpose::linear_weights,
                                Purpose::scales);
  const auto done = quantize(
      [&](std::int64_t first, std::int64_t count, float* x) {
        for (std::int64_t i = 0; i < count; ++i) x[i] = scales[std::size_t((first + i) / 32)];
      },
      *out, pool);
  EXPECT_TRUE(done);
  return std::move(out).value();
}

TEST(NestedScales, TheMapIsTheOneThatBitsandbytesBuilds) {
  const auto map = golden().get<float>("dynamic_map");
  ASSERT_EQ(map.size(), dynamic_map.size());
  for (int i = 0; i < 256; ++i)
    EXPECT_EQ(std::bit_cast<std::uint32_t>(map[i]), std::bit_cast<std::uint32_t>(dynamic_map[i])) << i;
}

TEST(NestedScales, OffsetAndSecondLevelScalesAreThoseOfBitsandbytes) {
  for (const std::string name : {"many", "wide", "five", "equal", "one"}) {
    SCOPED_TRACE(name);
    const auto ours = nested_of(golden().get<float>(name + ".scales"));
    EXPECT_EQ(ours.weight.nested.offset, golden().get<float>(name + ".nested.offset").at(0));
    const auto theirs = golden().get<float>(name + ".nested.absmax");
    EXPECT_TRUE(
        std::equal(theirs.begin(), theirs.end(), ours.weight.nested.absmax.begin(), ours.weight.nested.absmax.end()));
    EXPECT_EQ(ours.weight.nested.block, 256);
    EXPECT_TRUE(ours.weight.scales.empty());
  }
}

TEST(NestedScales, ALongMeanCascadesAsPyTorchSums) {
  std::vector<float> scales;
  for (std::int64_t i = 0; i < 70001; ++i) scales.push_back(float(i * 7919 % 65521) / 65536.0f);
  EXPECT_EQ(mean_of_scales(scales.data(), std::int64_t(scales.size())), golden().get<float>("long_mean").at(0));
}

TEST(NestedScales, EveryCodeIsTheNearestOfTheMap) {
  at_every_width([] {
    const auto scales = golden().get<float>("wide.scales");
    const auto ours = nested_of(scales);
    const NestedScales& nested = ours.weight.nested;
    for (std::size_t b = 0; b < scales.size(); ++b) {
      const double t = double(scales[b] - nested.offset) * double(1.0f / nested.absmax[b / 256]);
      double nearest = 4;
      for (const float value : dynamic_map) nearest = std::min(nearest, std::fabs(t - double(value)));
      // t was rounded to fp32 once.
      EXPECT_LE(std::fabs(t - double(dynamic_map[nested.codes[b]])), nearest + 1e-7) << b;
    }
  });
}

TEST(NestedScales, ATieGoesToTheEvenIndex) {
  for (int i = 0; i < 255; ++i) {
    const float low = dynamic_map[i], high = dynamic_map[i + 1], middle = (low + high) * 0.5f;
    EXPECT_EQ(nearest_in_map(dynamic_map, middle), i + i % 2) << i;
    EXPECT_EQ(nearest_in_map(dynamic_map, std::nextafter(middle, -2.0f)), i) << i;
    EXPECT_EQ(nearest_in_map(dynamic_map, std::nextafter(middle, 2.0f)), i + 1) << i;
    EXPECT_EQ(nearest_in_map(dynamic_map, low), i);
  }
  EXPECT_EQ(nearest_in_map(dynamic_map, 1.0f), 255);
  EXPECT_EQ(nearest_in_map(dynamic_map, -1.0f), 0);
}

TEST(NestedScales, WhoseMeanOrDistanceFp32CannotHoldAreRefused) {
  ThreadPool pool(1);
  const auto refusal = [&](const std::vector<float>& scales) {
    auto out = allocate_quantized(memory(), {"fp4", 32, true}, std::int64_t(scales.size()), 32, Purpose::linear_weights,
                                  Purpose::scales);
    const auto done = quantize(
        [&](std::int64_t first, std::int64_t count, float* x) {
          for (std::int64_t i = 0; i < count; ++i) x[i] = scales[std::size_t((first + i) / 32)];
        },
        *out, pool);
    return done ? "" : done.error().message;
  };
  EXPECT_EQ(refusal({1e38f, 1e30f}), "");
  for (const auto& scales : {std::vector<float>{3.4e38f, 2e36f, 1e34f}, std::vector<float>{3.4e38f, 3.4e38f}})
    EXPECT_NE(refusal(scales).find("too large for double quantization"), std::string::npos);
}

}  // namespace
}  // namespace nibble
