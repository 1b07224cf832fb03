// NF4, "4-bit NormalFloat": 16 quantiles of a normal distribution, scaled to [-1, 1]; 8 levels above zero, 7 below.
// Source: Dettmers et al., "QLoRA" (2023), appendix E; fp32 values as bitsandbytes stores them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "nibble/precision.hpp"

namespace nibble {

struct Nf4 {
  static constexpr std::string_view name = "nf4", bitsandbytes = "nf4";
  static constexpr Precision precision = Precision::nf4;
  static constexpr int bits = 4;
  static constexpr std::array<float, 16> table = {-1.0f,
                                                  -0.6961928009986877f,
                                                  -0.5250730514526367f,
                                                  -0.39491748809814453f,
                                                  -0.28444138169288635f,
                                                  -0.18477343022823334f,
                                                  -0.09105003625154495f,
                                                  0.0f,
                                                  0.07958029955625534f,
                                                  0.16093020141124725f,
                                                  0.24611230194568634f,
                                                  0.33791524171829224f,
                                                  0.44070982933044434f,
                                                  0.5626170039176941f,
                                                  0.7229568362236023f,
                                                  1.0f};

  static constexpr float middle(int i) { return (table[std::size_t(i)] + table[std::size_t(i) + 1]) * 0.5f; }

  // A code for t = x / absmax in [-1, 1]: how many middles of neighbours lie strictly below t, so a tie goes down.
  static constexpr std::uint8_t encode(float t) {
    int code = 0;
    for (int i = 0; i < 15; ++i) code += t > middle(i);
    return std::uint8_t(code);
  }
};

}  // namespace nibble
