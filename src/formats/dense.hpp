// Formats without codes: every weight is a float of 32 or 16 bits.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/numeric.hpp"
#include "base/widest.hpp"
#include "nibble/precision.hpp"

namespace nibble {

struct Fp32 {
  static constexpr std::string_view name = "fp32", gguf = "F32";
  static constexpr Precision precision = Precision::fp32;
  static constexpr int bits = 32;
  using Code = std::uint32_t;
  static float value(Code code) { return std::bit_cast<float>(code); }
  static Code encode(float x) { return std::bit_cast<Code>(x); }
};

struct Fp16 {
  static constexpr std::string_view name = "fp16", gguf = "F16";
  static constexpr Precision precision = Precision::fp16;
  static constexpr int bits = 16;
  using Code = std::uint16_t;
  static float value(Code code) { return f16_to_float(code); }
  static Code encode(float x) { return float_to_f16(x); }
};

struct Bf16 {
  static constexpr std::string_view name = "bf16", gguf = "BF16";
  static constexpr Precision precision = Precision::bf16;
  static constexpr int bits = 16;
  using Code = std::uint16_t;
  static float value(Code code) { return bf16_to_float(code); }
  static Code encode(float x) { return float_to_bf16(x); }
};

// Stored codes, which need not be aligned, as fp32.
template <class F>
void widen(const std::byte* codes, std::int64_t count, float* out) {
  at_widest(
      [](const std::byte* codes, std::int64_t count, float* out) NIBBLE_INLINE_LOOP {
        for (std::int64_t i = 0; i < count; ++i) {
          typename F::Code code;
          std::memcpy(&code, codes + std::size_t(i) * sizeof code, sizeof code);
          out[i] = F::value(code);
        }
      },
      codes, count, out);
}

}  // namespace nibble
