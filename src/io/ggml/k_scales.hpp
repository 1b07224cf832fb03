// The 12 bytes of q4_K and q5_K: eight 6-bit scales and eight 6-bit minima. The first four of each are the low six bits
// of bytes 0..3 and 4..7; of the others, bytes 8..11 have the low nibbles (minimum above scale), and the two bits left
// free in bytes 0..3 and 4..7 the high bits.
#pragma once

#include <cstddef>

namespace nibble::ggml {

struct ScaleAndMinimum {
  unsigned scale, minimum;  // < 64
};

inline ScaleAndMinimum read_k_scale(const std::byte* packed, int part) {
  const auto at = [=](int i) { return unsigned(packed[i]); };
  if (part < 4) return {at(part) & 63, at(part + 4) & 63};
  return {(at(part + 4) & 15) | at(part - 4) >> 6 << 4, at(part + 4) >> 4 | at(part) >> 6 << 4};
}

inline void write_k_scales(const ScaleAndMinimum (&parts)[8], std::byte* packed) {
  for (int i = 0; i < 4; ++i) {
    const ScaleAndMinimum first = parts[i], second = parts[i + 4];
    packed[i] = std::byte(first.scale | second.scale >> 4 << 6);
    packed[i + 4] = std::byte(first.minimum | second.minimum >> 4 << 6);
    packed[i + 8] = std::byte((second.scale & 15) | (second.minimum & 15) << 4);
  }
}

}  // namespace nibble::ggml
