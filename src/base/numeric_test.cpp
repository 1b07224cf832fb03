#include "base/numeric.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace nibble {
namespace {

// What IEEE 754 says sixteen bits mean.
double meaning(std::uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  const double magnitude = exponent == 31  ? (mantissa ? std::numeric_limits<double>::quiet_NaN() : HUGE_VAL)
                           : exponent == 0 ? std::ldexp(mantissa, -24)
                                           : std::ldexp(1024 + mantissa, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

TEST(Numeric, EveryFp16IsReadForWhatItIsAndWrittenBack) {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = std::uint16_t(bits);
    const float value = f16_to_float(half);
    if (std::isnan(meaning(half))) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      continue;
    }
    ASSERT_EQ(double(value), meaning(half)) << bits;
    ASSERT_EQ(std::signbit(value), (half & 0x8000) != 0) << bits;
    ASSERT_EQ(float_to_f16(value), half) << bits;
  }
}

TEST(Numeric, EveryBf16IsWrittenBack) {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits)
    if (const float value = bf16_to_float(std::uint16_t(bits)); !std::isnan(value)) {
      ASSERT_EQ(float_to_bf16(value), bits);
    }
}

TEST(Numeric, BetweenTwoFp16TheNearerIsTakenAndTheEvenOfEquals) {
  for (std::uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const auto low = std::uint16_t(bits), high = std::uint16_t(bits + 1);
    const float middle = float((meaning(low) + meaning(high)) / 2);
    ASSERT_EQ(float_to_f16(middle), bits % 2 ? high : low);
    ASSERT_EQ(float_to_f16(std::nextafter(middle, 0.0f)), low);
    ASSERT_EQ(float_to_f16(std::nextafter(middle, HUGE_VALF)), high);
  }
}

}  // namespace
}  // namespace nibble
