// LLM.int8() weights: each row is rounded to fp16 first, then to 127 steps of the row's absmax on either side of zero.
#include <algorithm>
#include <bit>

#include "formats/all.hpp"
#include "ops/quantize_pieces.hpp"

namespace nibble {
namespace {

// x rounded to fp16 and back, without branches. Magnitudes of 65520 and above come out as 65536 or more.
inline float through_f16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude =
      std::min(bits & 0x7fffffffu, std::uint32_t(infinity_bits));  // NaN must not wrap around
  const std::uint32_t normal = (magnitude + 0xfff + ((magnitude >> 13) & 1)) & ~0x1fffu;
  const float denormal =
      (std::bit_cast<float>(magnitude) + 0.5f) - 0.5f;  // one ulp of 0.5 is 2^-24, fp16's smallest step
  const std::uint32_t rounded = magnitude < 0x38800000u ? std::bit_cast<std::uint32_t>(denormal) : normal;
  return std::bit_cast<float>(rounded | (bits & 0x80000000u));
}

// Adding 1.5 * 2^23 leaves a sum whose ulp is 1: the addition itself rounds to an integer, ties to even.
inline std::int8_t to_int8(float x) { return std::int8_t(std::bit_cast<std::int32_t>(x + 12582912.0f) - 0x4b400000); }

void quantize_row(const float* x, std::int64_t cols, float absmax, std::int8_t* codes) {
  // bitsandbytes writes 127.0 / absmax, which PyTorch evaluates as a reciprocal and a product: two roundings.
  const float scale = absmax > 0 ? (1.0f / absmax) * 127.0f : 0.0f;
  at_widest(
      [](const float* x, std::int64_t cols, float scale, std::int8_t* codes) NIBBLE_INLINE_LOOP {
        for (std::int64_t i = 0; i < cols; ++i) codes[i] = to_int8(x[i] * scale);
      },
      x, cols, scale, codes);
}

}  // namespace

void quantize_rows(const ElementReader& read, QuantizedWeight& out, ThreadPool& pool, float* scratch,
                   FirstBadWeight& bad) {
  const std::int64_t rows = out.weight.rows, cols = out.weight.cols;
  const std::int64_t group = std::max<std::int64_t>(1, piece_elements / std::max<std::int64_t>(1, cols));
  const std::int64_t stride = scratch_elements(out.weight);
  auto* codes = out.codes.as<std::int8_t>();
  auto* scales = out.scales.as<float>();
  pool.run((rows + group - 1) / group, [&](std::int64_t piece, int thread) {
    const std::int64_t first = piece * group, count = std::min(group, rows - first);
    float* x = scratch + thread * stride;
    read(first * cols, count * cols, x);
    for (std::int64_t r = 0; r < count; ++r) {
      float* row = x + r * cols;
      const float absmax = std::bit_cast<float>(at_widest(
          [](float* row, std::int64_t cols) NIBBLE_INLINE_LOOP {
            for (std::int64_t i = 0; i < cols; ++i) row[i] = through_f16(row[i]);
            return largest_magnitude_bits(row, cols);
          },
          row, cols));
      if (!(absmax < 65536.0f)) {
        std::int64_t i = 0;
        while (magnitude_bits(row[i]) < std::bit_cast<std::int32_t>(65536.0f)) ++i;
        return bad.report((first + r) * cols + i);
      }
      scales[first + r] = absmax;
      quantize_row(row, cols, absmax, codes + (first + r) * cols);
    }
  });
}

}  // namespace nibble
