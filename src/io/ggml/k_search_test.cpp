#include "io/ggml/k_search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

namespace nibble::ggml {
namespace {

std::uint32_t bits(float x) { return std::bit_cast<std::uint32_t>(x); }

// Rows of 256 in which ordinary runs stand beside runs that overflow, vanish, are constant, or hold NaN.
class Rows {
 public:
  void next(float (&x)[256]) {
    const float scale = std::exp(exponent_(random_));
    for (int i = 0; i < 256; ++i) {
      if (i % 16 == 0) kind_ = int(random_() % 12);
      const float g = normal_(random_);
      switch (kind_) {
        case 0:
          x[i] = std::bit_cast<float>(std::uint32_t(random_()));
          break;
        case 1:
          x[i] = 0;
          break;
        case 2:
          x[i] = -1 - 1e-7f * float(random_() % 3);
          break;
        case 3:
          x[i] = std::round(3 * g) * scale;
          break;
        case 4:
          x[i] = g * 1e-38f;
          break;
        case 5:
          x[i] = g * 1e38f;
          break;
        default:
          x[i] = g * scale;
      }
    }
  }

 private:
  std::mt19937 random_{11};
  std::normal_distribution<float> normal_;
  std::uniform_real_distribution<float> exponent_{-30, 30};
  int kind_ = 0;
};

TEST(KSearch, LanesFindTheBitsThatOneAffineSearchFinds) {
  Rows rows;
  float x[256];
  for (int row = 0; row < 400; ++row) {
    rows.next(x);
    for (const AffineSearch& search : {AffineSearch{15, -1.0f, 20}, AffineSearch{31, -0.5f, 15}}) {
      AffineFit fits[8];
      fit_affine_8(x, search, fits);
      for (int run = 0; run < 8; ++run) {
        const AffineFit one = fit_affine(x + 32 * run, search);
        ASSERT_EQ(bits(fits[run].scale), bits(one.scale)) << "row " << row << ", run " << run;
        ASSERT_EQ(bits(fits[run].minimum), bits(one.minimum)) << "row " << row << ", run " << run;
        std::uint8_t codes[32], plain_codes[32];
        affine_codes(x + 32 * run, fits[run], search.top, codes);
        affine_codes(x + 32 * run, one, search.top, plain_codes);
        ASSERT_TRUE(std::equal(codes, codes + 32, plain_codes)) << "row " << row << ", run " << run;
      }
    }
  }
}

TEST(KSearch, LanesFindTheBitsThatOneSymmetricSearchFinds) {
  Rows rows;
  float x[256];
  for (int row = 0; row < 400; ++row) {
    rows.next(x);
    SymmetricFit fits[16];
    fit_symmetric_16(x, fits);
    for (int run = 0; run < 16; ++run) {
      const SymmetricFit one = fit_symmetric(x + 16 * run);
      ASSERT_EQ(bits(fits[run].scale), bits(one.scale)) << "row " << row << ", run " << run;
      ASSERT_EQ(bits(fits[run].inverse), bits(one.inverse)) << "row " << row << ", run " << run;
      ASSERT_EQ(fits[run].empty, one.empty) << "row " << row << ", run " << run;
    }
  }
}

TEST(KSearch, TheFitIsNoWorseThanDividingTheRangeEvenly) {
  Rows rows;
  float x[256];
  for (int row = 0; row < 200; ++row) {
    rows.next(x);
    for (int run = 0; run < 8; ++run) {
      const float* values = x + 32 * run;
      double squares = 0, low = 0, high = values[0];
      bool ordinary = true;
      for (int i = 0; i < 32; ++i) {
        squares += double(values[i]) * values[i];
        low = std::min(low, double(values[i]));
        high = std::max(high, double(values[i]));
        ordinary &= std::fabs(values[i]) < 1e10f;
      }
      if (!ordinary || high - low < 1e-10) continue;
      const double rms = std::sqrt(squares / 32), step = (high - low) / 15;
      const AffineFit fit = fit_affine(values, {15, -1.0f, 20});
      std::uint8_t codes[32];
      affine_codes(values, fit, 15, codes);
      double fitted = 0, even = 0;
      for (int i = 0; i < 32; ++i) {
        const double weight = rms + std::fabs(values[i]), plain = std::nearbyint((values[i] - low) / step);
        fitted += weight * std::pow(double(fit.scale) * codes[i] - fit.minimum - values[i], 2);
        even += weight * std::pow(plain * step + low - values[i], 2);
      }
      // The search compares sums in fp32. A difference from x is off by at most delta there, which moves a sum E of
      // weighted squares by 2 delta sum(w |off|) + delta^2 sum(w), and sum(w |off|)^2 <= sum(w) E; then come the
      // roundings of products and of 32 additions.
      const double delta = 8 * 0x1p-24 * (high - low), weights = 32 * (rms + high - low);
      const auto slack = [&](double sum) {
        return 2 * delta * std::sqrt(weights * sum) + delta * delta * weights + 40 * 0x1p-24 * sum;
      };
      EXPECT_LE(fitted, even + slack(even) + slack(fitted)) << "row " << row << ", run " << run;
    }
  }
}

}  // namespace
}  // namespace nibble::ggml
