// The signed 8-bit "dynamic" map, in which bitsandbytes stores the scales of double quantization: seven decades, decade
// d (1e-6 .. 1) cut into 2^d equal cells over 0.1 .. 1 of its magnitude, the value of a code being the middle of its
// cell; mirrored, with 0 at index 127 and +1 (but no -1) at index 255. Source: Dettmers, "8-Bit Approximations for
// Parallelism in Deep Learning" (2015).
//
// bitsandbytes builds the map with PyTorch at run time, and its last bit depends on the processor. This is the map of
// every x86 processor with AVX2 or AVX-512, where one step of the grid is one fused multiply-add. Readers use the
// stored map.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace nibble {

constexpr std::array<float, 256> make_dynamic_map() {
  constexpr float decades[] = {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1.0f};
  std::array<float, 256> map{};
  std::size_t size = 0;
  for (int decade = 0; decade < 7; ++decade) {
    const int cells = 1 << decade;
    const float step = (1.0f - 0.1f) / float(cells);
    // Doubles hold the products exactly, so rounding their sum once is what a fused multiply-add gives.
    const auto edge = [&](int i) {
      return i < (cells + 1) / 2 ? float(double(0.1f) + double(step) * i) : float(1.0 - double(step) * (cells - i));
    };
    for (int i = 0; i < cells; ++i) {
      const float value = decades[decade] * ((edge(i) + edge(i + 1)) / 2);
      map[size++] = value;
      map[size++] = -value;
    }
  }
  map[size++] = 0;
  map[size++] = 1;
  std::sort(map.begin(), map.end());
  return map;
}

inline constexpr std::array<float, 256> dynamic_map = make_dynamic_map();

// The index of the value of a sorted map nearest to x. A tie goes to the even index, as in bitsandbytes' CUDA kernel.
// Without branches, so that loops over it vectorise.
constexpr std::uint8_t nearest_in_map(const std::array<float, 256>& map, float x) {
  int lower = 0;  // the last value that is not above x
  for (int step = 128; step > 0; step /= 2) lower += map[lower + step] <= x ? step : 0;
  const int upper = lower < 255 ? lower + 1 : 255;
  const float middle = (map[lower] + map[upper]) * 0.5f;
  const int tie = x == middle ? lower & 1 : 0;
  return std::uint8_t((x > middle ? upper : lower) + (lower < 255 ? tie : 0));
}

}  // namespace nibble
