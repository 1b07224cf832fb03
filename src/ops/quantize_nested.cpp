// Double quantization: the fp32 scales of a table format, less their mean, in 8-bit codes of the dynamic map.
#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "formats/dynamic_map.hpp"
#include "ops/quantize_pieces.hpp"

namespace nibble {
namespace {

// Sums `count` groups of 4 x Lanes numbers with four levels of partial sums, so that the error grows with the logarithm
// of the count. PyTorch's order of additions, reproduced because the offset's last bit decides bytes of a checkpoint.
template <int Lanes>
using Columns = std::array<std::array<float, Lanes>, 4>;

template <int Lanes>
Columns<Lanes> cascade(const float* x, std::int64_t count) {
  const auto add = [](Columns<Lanes>& to, const auto& from) {
    for (int k = 0; k < 4; ++k)
      for (int lane = 0; lane < Lanes; ++lane) to[k][lane] += from(k, lane);
  };
  const int ceil_log2 = count > 1 ? std::bit_width(std::uint64_t(count) - 1) : 0;
  const int power = std::max(4, ceil_log2 / 4);
  const std::int64_t step = std::int64_t(1) << power;
  std::array<Columns<Lanes>, 4> levels{};
  std::int64_t i = 0;
  const auto add_group = [&] {
    const float* group = x + i * 4 * Lanes;
    add(levels[0], [&](int k, int lane) { return group[k * Lanes + lane]; });
    ++i;
  };
  while (i + step <= count) {
    for (std::int64_t j = 0; j < step; ++j) add_group();
    for (int level = 1; level < 4; ++level) {
      add(levels[level], [&](int k, int lane) { return levels[level - 1][k][lane]; });
      levels[level - 1] = {};
      if (i & ((step - 1) << (level * power))) break;
    }
  }
  while (i < count) add_group();
  for (int level = 1; level < 4; ++level) add(levels[0], [&](int k, int lane) { return levels[level][k][lane]; });
  return levels[0];
}

template <int Lanes>
std::array<float, Lanes> sum_lanes(const float* x, std::int64_t count) {  // count is in groups of Lanes
  Columns<Lanes> columns = cascade<Lanes>(x, count / 4);
  for (std::int64_t i = count / 4 * 4; i < count; ++i)
    for (int lane = 0; lane < Lanes; ++lane) columns[0][lane] += x[i * Lanes + lane];
  for (int k = 1; k < 4; ++k)
    for (int lane = 0; lane < Lanes; ++lane) columns[0][lane] += columns[k][lane];
  return columns[0];
}

}  // namespace

float mean_of_scales(const float* scales, std::int64_t count) {
  constexpr int lanes = 8;
  if (count < lanes) return sum_lanes<1>(scales, count)[0] / float(count);
  const std::array<float, lanes> sums = sum_lanes<lanes>(scales, count / lanes);
  float total = 0;
  for (std::int64_t i = count / lanes * lanes; i < count; ++i) total += scales[i];
  for (const float sum : sums) total += sum;
  return total / float(count);
}

void nest_scales(const float* scales, std::int64_t count, QuantizedWeight& out, ThreadPool& pool) {
  const float offset = count > 0 ? mean_of_scales(scales, count) : 0.0f;
  auto* codes = out.nested_codes.as<std::uint8_t>();
  auto* absmax = out.nested_absmax.as<float>();
  pool.run((count + nested_block - 1) / nested_block, [&](std::int64_t block, int) {
    const std::int64_t first = block * nested_block, size = std::min(nested_block, count - first);
    std::array<float, nested_block> difference;
    for (std::int64_t i = 0; i < size; ++i) difference[i] = scales[first + i] - offset;
    absmax[block] = std::bit_cast<float>(largest_magnitude_bits(difference.data(), size));
    // All scales equal: any code times 0 is right. bitsandbytes writes 0, on a CPU and on a GPU.
    const float inverse = absmax[block] > 0 ? 1.0f / absmax[block] : 0.0f;
    if (inverse == 0) {
      std::fill_n(codes + first, size, std::uint8_t(0));
      return;
    }
    at_widest(
        [](const float* x, std::int64_t count, float inverse, std::uint8_t* codes) NIBBLE_INLINE_LOOP {
          for (std::int64_t i = 0; i < count; ++i) codes[i] = nearest_in_map(dynamic_map, x[i] * inverse);
        },
        difference.data(), size, inverse, codes + first);
  });
  out.weight.nested.offset = offset;
}

}  // namespace nibble
