// LLM.int8(): one signed byte per weight and one fp32 absmax per output row; w = code * absmax / 127.
// Source: Dettmers et al., "LLM.int8()" (2022). The outlier columns of that paper are a property of the activations of
// one product, found when it runs: nothing about them is stored with the weight.
#pragma once

#include <string_view>

#include "nibble/precision.hpp"

namespace nibble {

struct Int8 {
  static constexpr std::string_view name = "int8", bitsandbytes = "int8";
  static constexpr Precision precision = Precision::int8;
  static constexpr int bits = 8;
  static constexpr float step = 0.007874015718698502f;  // 1/127 in fp32, the constant bitsandbytes dequantizes with
};

}  // namespace nibble
