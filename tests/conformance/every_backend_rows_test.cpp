// The operations on single rows, on every backend, against float64: norms, rotary embedding, the gate, the embedding.
#include <limits>

#include "any_weight.hpp"

namespace nibble {
namespace {

using RmsNorm = OnBackend;
using Rope = OnBackend;
using SiluMul = OnBackend;
using Embed = OnBackend;

constexpr float infinity = std::numeric_limits<float>::infinity();

// --- rms_norm ---

// The sum of n squares in fp32 is off by at most gamma(n) of itself, mean and eps by two roundings more, of which the
// root halves all; root, inverse and the two products round once each. Squares below fp32's smallest number are lost
// beside eps.
std::vector<Expected> normalized(const Matrix& x, std::span<const float> gain, float eps) {
  const auto width = std::int64_t(gain.size());
  std::vector<Expected> out;
  for (std::int64_t r = 0; r < x.rows; ++r)
    for (std::int64_t first = 0; first < x.cols; first += width) {
      double squares = 0;
      for (std::int64_t i = first; i < first + width; ++i) squares += double(x.row(r)[i]) * x.row(r)[i];
      const double mean = squares / double(width) + double(eps), share = gamma(double(width) / 2 + 6) + 0x1p-149 / mean;
      for (std::int64_t i = 0; i < width; ++i) {
        const double value = x.row(r)[first + i] / std::sqrt(mean) * gain[std::size_t(i)];
        out.push_back({value, share * std::fabs(value) + 0x1p-149 * (1 + std::fabs(gain[std::size_t(i)])),
                       once(value, double(width), std::fabs(value))});
      }
    }
  return out;
}

TEST_P(RmsNorm, IsWithinTheBoundForRowsAndHeadsOfAnyWidthAndMagnitude) {
  struct Shape {
    std::int64_t rows, heads, width;
  };
  std::vector<Shape> shapes;
  for (const std::int64_t width : {1, 5, 7, 8, 9, 15, 16, 17, 31, 64, 100, 384, 1003}) shapes.push_back({3, 1, width});
  for (const std::int64_t width : {8, 12, 16, 20, 64, 80, 96, 128, 256}) shapes.push_back({2, 3, width});
  for (const auto& [rows, heads, width] : shapes) {
    const std::vector<float> gain = random_values(width, 3);
    // Magnitudes from where squares are denormal to where their sum nearly leaves fp32, also in one row.
    for (const float scale : {0.0f, 1e-30f, 1e-20f, 1e-3f, 1.0f, 1e4f, 1e14f}) {
      Matrix x = random_matrix(rows, heads * width, 5, scale);
      for (std::int64_t r = 1; r < rows; ++r) x.row(r)[r * 7 % x.cols] *= 1000;
      for (const float eps : {1e-5f, 1e-6f}) {
        const auto expected = normalized(x, gain, eps);
        for (const bool in_place : {false, true}) {
          ops->around = in_place ? 3 : 0;
          expect_near(ops->rms_norm(x, gain, eps, in_place), expected,
                      fmt::format("{} x {} of {}, scale {}, eps {}", rows, heads, width, scale, eps));
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(RmsNorm, GivesTheSameBitsForAnyNumberOfThreads) {
  const Operations several(GetParam(), 3);
  const Matrix x = random_matrix(41, 2048, 5);  // enough to be shared out
  const std::vector<float> gain = random_values(256, 3);
  expect_same(several.rms_norm(x, gain, 1e-5f), ops->rms_norm(x, gain, 1e-5f), "3 threads");
}

// --- rope ---

// Two products and their sum, each rounded once (also by the reference, which computes this in fp32).
std::vector<Expected> rotated(const Matrix& x, std::span<const std::int32_t> positions, const Matrix& cos,
                              const Matrix& sin) {
  std::vector<Expected> out;
  for (std::int64_t r = 0; r < x.rows; ++r)
    for (std::int64_t i = 0; i < x.cols; ++i) {
      const std::int64_t half = cos.cols, within = i % (2 * half), angle = within % half;
      const double c = cos.row(positions[std::size_t(r)])[angle], s = sin.row(positions[std::size_t(r)])[angle],
                   along = c * x.row(r)[i], across = within < half ? -s * x.row(r)[i + half] : s * x.row(r)[i - half];
      const double bound = gamma(2) * (std::fabs(along) + std::fabs(across)) + 3 * 0x1p-149;
      out.push_back({along + across, bound, bound});
    }
  return out;
}

TEST_P(Rope, IsWithinTheBoundForHeadsOfAnySizeAndPositionsInAnyOrder) {
  for (const std::int64_t half : {4, 6, 8, 10, 32, 40, 48, 64, 128}) {
    Matrix cos(200, half), sin(200, half);
    for (std::int64_t p = 0; p < cos.rows; ++p)
      for (std::int64_t i = 0; i < half; ++i) {
        const double angle = double(p) * std::pow(10000.0, -double(i) / double(half));
        cos.row(p)[i] = float(1.2 * std::cos(angle));
        sin.row(p)[i] = float(1.2 * std::sin(angle));
      }
    for (const std::int64_t heads : {1, 2, 7}) {
      const std::vector<std::int32_t> positions = {199, 0, 1, 1, 117};
      const Matrix x = random_matrix(std::int64_t(positions.size()), 2 * half * heads, 5);
      for (const bool in_place : {false, true}) {
        ops->around = in_place ? 5 : 0;
        expect_near(ops->rope(x, positions, cos, sin, in_place), rotated(x, positions, cos, sin),
                    fmt::format("{} heads of {}", heads, 2 * half));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(Rope, GivesTheSameBitsForAnyNumberOfThreads) {
  const Operations several(GetParam(), 3);
  const Matrix x = random_matrix(33, 2048, 5), cos = random_matrix(40, 32, 6), sin = random_matrix(40, 32, 7);
  std::vector<std::int32_t> positions;
  for (int r = 0; r < 33; ++r) positions.push_back(39 - r);
  expect_same(several.rope(x, positions, cos, sin), ops->rope(x, positions, cos, sin), "3 threads");
}

// --- silu_mul ---

// exp(x) of the kernels: 2^n exact, times the exponential of |r| <= 0.35. Shares of it, in roundings: r 0.35; its
// polynomial 0.05 and, for itself and its last two steps, 0.62; the final sum 1. Together less than 3. They reach the
// denominator at most whole, which then rounds in its sum, the quotient and the product. Exponents end at 88, so a gate
// below -88 gives at most -gate * exp(-88).
std::vector<Expected> gated(const Matrix& gate, const Matrix& up) {
  std::vector<Expected> out;
  for (std::size_t i = 0; i < gate.values.size(); ++i) {
    const double g = gate.values[i], u = up.values[i], value = g / (1 + std::exp(-g)) * u;
    const double ended = g < -88 ? -g * std::exp(-88.0) * std::fabs(u) : 0, denormal = 0x1p-149 * (1 + std::fabs(u));
    out.push_back(
        {value, gamma(6) * std::fabs(value) + 1.01 * ended + denormal, once(value, 4, std::fabs(value)) + denormal});
  }
  return out;
}

TEST_P(SiluMul, IsWithinTheBoundForAnyLengthAndExtremeValues) {
  for (const std::int64_t cols : {1, 7, 8, 9, 15, 16, 17, 33, 100})
    for (const float scale : {1.0f, 20.0f}) {
      const Matrix gate = random_matrix(3, cols, 5, scale), up = random_matrix(3, cols, 6);
      for (const bool in_place : {false, true}) {
        ops->around = in_place ? 3 : 0;
        expect_near(ops->silu_mul(gate, up, in_place), gated(gate, up), fmt::format("{} columns", cols));
        if (HasFatalFailure()) return;
      }
    }
  const std::vector<float> gates = {0.0f,    -0.0f,   1e-45f, -1e-45f, 1e-40f, -1e-40f, 1e-20f,
                                    -1e-20f, 86.9f,   -86.9f, 87.1f,   -87.1f, 88.1f,   -88.1f,
                                    100.0f,  -100.0f, 104.5f, -104.5f, 1e4f,   -1e4f,   1e30f};
  const std::vector<float> ups = {0.0f, 1.0f, -1.0f, 1e-45f, -1e-38f, 1e30f, -100.0f};
  Matrix gate(std::int64_t(ups.size()), std::int64_t(gates.size())), up = gate;
  for (std::int64_t r = 0; r < up.rows; ++r)
    for (std::int64_t i = 0; i < up.cols; ++i) {
      // No product of the two leaves fp32.
      gate.row(r)[i] = gates[std::size_t(i)];
      up.row(r)[i] =
          std::fabs(gates[std::size_t(i)]) > 1e29f ? std::min(ups[std::size_t(r)], 1.0f) : ups[std::size_t(r)];
    }
  expect_near(ops->silu_mul(gate, up), gated(gate, up), "extreme values");
}

TEST_P(SiluMul, GivesTheSameBitsForAnyNumberOfThreads) {
  const Operations several(GetParam(), 3);
  const Matrix gate = random_matrix(33, 2048, 5), up = random_matrix(33, 2048, 6);
  expect_same(several.silu_mul(gate, up), ops->silu_mul(gate, up), "3 threads");
}

// A gate far below zero is its exponential but for a sign and a factor that is exact, so this is the vector exponential
// itself, over the whole of its range.
TEST_P(SiluMul, FollowsTheExponentialOverItsWholeRange) {
  Matrix gate(1, 20001), up = gate;
  for (std::int64_t i = 0; i < gate.cols; ++i) {
    gate.row(0)[i] = float(20 - double(i) * 0.0054);  // to -88
    up.row(0)[i] = 1;
  }
  expect_near(ops->silu_mul(gate, up), gated(gate, up), "a range of gates");
}

TEST_P(SiluMul, WhatIsNotANumberStaysSo) {
  Matrix gate = random_matrix(2, 37, 5), up = random_matrix(2, 37, 6);
  gate.row(0)[3] = gate.row(1)[36] = up.row(0)[20] = NAN;
  up.row(1)[0] = infinity;
  const Matrix out = ops->silu_mul(gate, up);
  count_case();
  for (std::size_t i = 0; i < out.values.size(); ++i)
    EXPECT_EQ(std::isfinite(out.values[i]), std::isfinite(gate.values[i]) && std::isfinite(up.values[i])) << i;
}

// --- embed ---

TEST_P(Embed, GivesTheRowsOfEveryFormatBitForBit) {
  const std::vector<std::int32_t> ids = {6, 0, 3, 3, 5, 6, 1};
  for (const KindOfWeight& kind : every_kind_of_weight())
    for (const std::int64_t cols : {64, 172, 320}) {
      const AnyWeight table(kind, 7, cols);
      const std::int64_t width = table.weight().cols;
      Matrix expected(std::int64_t(ids.size()), width);
      for (std::int64_t r = 0; r < expected.rows; ++r)
        for (std::int64_t i = 0; i < width; ++i)
          expected.row(r)[i] = decode_element(table.weight(), ids[std::size_t(r)] * width + i);
      ops->around = cols == 64 ? 0 : 3;
      expect_same(ops->embed(*ops->prepare(table.weight()), ids), expected, kind.name());
      if (HasFatalFailure()) return;
    }
}

INSTANTIATE_TEST_SUITE_P(OnEveryBackend, RmsNorm, testing::ValuesIn(every_target()), name_of_target);
INSTANTIATE_TEST_SUITE_P(OnEveryBackend, Rope, testing::ValuesIn(every_target()), name_of_target);
INSTANTIATE_TEST_SUITE_P(OnEveryBackend, SiluMul, testing::ValuesIn(every_target()), name_of_target);
INSTANTIATE_TEST_SUITE_P(OnEveryBackend, Embed, testing::ValuesIn(every_target()), name_of_target);

}  // namespace
}  // namespace nibble
