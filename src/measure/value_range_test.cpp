#include "measure/value_range.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "io/safetensors.hpp"

namespace nibble {
namespace {

ValueRange of(std::vector<float> values) { return range_of(values); }

TEST(ValueRange, CountsFromTheFirstValueBeyondFp16ToTheLastThatBecomesZero) {
  const float beyond = std::nextafter(65504.0f, INFINITY), below = std::nextafter(0x1p-14f, 0.0f),
              above_zero = std::nextafter(0x1p-25f, 1.0f);
  const ValueRange r = of({65504, -65504, beyond, -1e30f, 0x1p-14f, -below, above_zero, 0x1p-25f, -1e-30f, 0});
  EXPECT_EQ(r.values, 10u);
  EXPECT_EQ(r.beyond_fp16, 2u);
  EXPECT_EQ(r.below_fp16_normal, 4u);
  EXPECT_EQ(r.zero_in_fp16, 2u);
  EXPECT_EQ(r.largest, double(1e30f));
  EXPECT_EQ(r.smallest, double(1e-30f));
}

TEST(ValueRange, Bf16LosesAtMostHalfAUnitOfItsEighthBit) {
  // A tie just above a power of two is the worst there is: 2^-8 / (1 + 2^-8).
  const ValueRange tie = of({1 + 0x1p-8f});
  EXPECT_EQ(tie.bf16_error, 0x1p-8 / (1 + 0x1p-8));
  EXPECT_EQ(tie.changed_by_bf16, 1u);
  std::vector<float> every;  // all fp32 numbers of one binade, coarsely
  for (int i = 0; i < 1 << 16; ++i) every.push_back(1 + float(i) * 0x1p-16f);
  const ValueRange binade = of(every);
  EXPECT_EQ(binade.bf16_error, tie.bf16_error);
  EXPECT_EQ(binade.changed_by_bf16, std::uint64_t((1 << 16) - (1 << 7)));
  EXPECT_EQ(of({1, -0.5f, 1.0078125f, 0}).changed_by_bf16, 0u);
}

TEST(ValueRange, NanAndInfinityAreOnlyCounted) {
  const ValueRange r = of({NAN, INFINITY, -INFINITY, 2});
  EXPECT_EQ(r.nonfinite, 3u);
  EXPECT_EQ(r.beyond_fp16, 0u);
  EXPECT_EQ(r.largest, 2);
  EXPECT_EQ(r.smallest, 2);
  EXPECT_EQ(of({NAN}).bf16_rms, 0);
  EXPECT_EQ(of({}).smallest, 0);
}

TEST(ValueRange, TheLargestFp32BecomesInfiniteInBf16AndSaysSo) { EXPECT_EQ(of({3.4e38f}).bf16_error, 1); }

template <class T>
std::vector<T> golden(std::string_view name) {
  const auto file = Safetensors::open(std::string(NIBBLE_SOURCE_DIR) + "/tests/golden/ranges.safetensors").value();
  for (const StoredTensor& tensor : file.tensors())
    if (tensor.name == name) {
      std::vector<T> out(tensor.bytes.size() / sizeof(T));
      std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
      return out;
    }
  return {};
}

TEST(ValueRange, SaysWhatPyTorchsConversionsDo) {
  const auto values = golden<float>("values");
  const auto counts = golden<std::int64_t>("counts");
  const auto errors = golden<double>("errors");
  ASSERT_EQ(values.size(), 4096u);
  const ValueRange r = range_of(values);
  EXPECT_EQ(r.beyond_fp16, std::uint64_t(counts[0]));
  EXPECT_EQ(r.below_fp16_normal, std::uint64_t(counts[1]));
  EXPECT_EQ(r.zero_in_fp16, std::uint64_t(counts[2]));
  EXPECT_EQ(r.changed_by_bf16, std::uint64_t(counts[3]));
  // 4096 squares summed in double in another order.
  constexpr double bound = 4096 * 0x1p-53;
  EXPECT_EQ(r.bf16_error, errors[0]);
  EXPECT_NEAR(r.bf16_rms, errors[1], errors[1] * bound);
  EXPECT_NEAR(r.fp16_rms, errors[2], errors[2] * bound);
  EXPECT_EQ(r.largest, errors[3]);
  EXPECT_EQ(r.smallest, errors[4]);
}

TEST(ValueRange, ThreadsAndPiecesDoNotChangeIt) {
  const auto values = golden<float>("values");
  const std::int64_t count = 200'000;
  const ElementReader read = [&](std::int64_t first, std::int64_t n, float* out) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = values[std::size_t((first + i) * 7 % 4096)];
  };
  std::vector<float> all(static_cast<std::size_t>(count));
  read(0, count, all.data());
  ThreadPool one(1), three(3);
  const ValueRange whole = range_of(all), a = range_of(read, count, one), b = range_of(read, count, three);
  EXPECT_EQ(a.bf16_rms, b.bf16_rms);
  EXPECT_EQ(a.fp16_rms, b.fp16_rms);
  EXPECT_NEAR(a.bf16_rms, whole.bf16_rms, whole.bf16_rms * double(count) * 0x1p-53);
  EXPECT_EQ(a.values, whole.values);
  EXPECT_EQ(a.beyond_fp16, whole.beyond_fp16);
  EXPECT_EQ(a.zero_in_fp16, whole.zero_in_fp16);
  EXPECT_EQ(a.smallest, whole.smallest);
}

}  // namespace
}  // namespace nibble
