// 16-bit floats as bits. Conversions round to nearest, ties to even, and are exact in the other direction; NaN stays
// NaN.
#pragma once

#include <bit>
#include <cstdint>

namespace nibble {

inline float bf16_to_float(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t(bits) << 16); }

inline std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return std::uint16_t((bits >> 16) | 0x40);  // NaN: keep it quiet
  return std::uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// Without branches, so that loops over it vectorise: the exponent moves by a multiplication, which is exact and makes
// denormals normal.
inline float f16_to_float(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t(half & 0x8000) << 16, moved = std::uint32_t(half & 0x7fff) << 13;
  const auto finite = std::bit_cast<std::uint32_t>(std::bit_cast<float>(moved) * 0x1p112f);
  return std::bit_cast<float>(sign | (moved >= 0x0f800000u ? moved | 0x7f800000u : finite));
}

inline std::uint16_t float_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = std::uint16_t((bits >> 16) & 0x8000);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return std::uint16_t(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));
  if (magnitude >= 0x477ff000u) return std::uint16_t(sign | 0x7c00);  // 65520 and above round to infinity
  if (magnitude < 0x38800000u) {                                      // below 2^-14: denormal, let fp32 addition round
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;     // one ulp of 0.5 is 2^-24, the denormal step
    return std::uint16_t(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u));
  }
  return std::uint16_t(sign | ((magnitude + 0xfff + ((magnitude >> 13) & 1) - 0x38000000u) >> 13));
}

}  // namespace nibble
