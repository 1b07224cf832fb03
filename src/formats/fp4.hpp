// FP4 as bitsandbytes defines it (not OCP E2M1): a sign bit and one of eight magnitudes, multiples of 1/16 over 12, not
// sorted. Codes follow the rule of bitsandbytes' CUDA kernel, whose thresholds are these literals and not the exact
// midpoints.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "nibble/precision.hpp"

namespace nibble {

struct Fp4 {
  static constexpr std::string_view name = "fp4", bitsandbytes = "fp4";
  static constexpr Precision precision = Precision::fp4;
  static constexpr int bits = 4;
  static constexpr std::array<float, 16> table = {0.0f,
                                                  0.0052083334885537624f,
                                                  0.6666666865348816f,
                                                  1.0f,
                                                  0.3333333432674408f,
                                                  0.5f,
                                                  0.1666666716337204f,
                                                  0.25f,
                                                  -0.0f,
                                                  -0.0052083334885537624f,
                                                  -0.6666666865348816f,
                                                  -1.0f,
                                                  -0.3333333432674408f,
                                                  -0.5f,
                                                  -0.1666666716337204f,
                                                  -0.25f};

  static constexpr std::uint8_t encode(float t) {
    constexpr float thresholds[] = {0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f,
                                    0.4166667f,  0.583333f,  0.8333333f};
    const float magnitude = t < 0 ? -t : t;
    int rank = 0;
    for (const float threshold : thresholds) rank += magnitude > threshold;
    // Magnitude codes from smallest to largest are 0, 1, 6, 7, 4, 5, 2, 3: computed, so that loops vectorise.
    const int code = rank < 2 ? rank : 8 - (rank & 6) + (rank & 1);
    return std::uint8_t(code + (t < 0 ? 8 : 0));
  }
};

}  // namespace nibble
