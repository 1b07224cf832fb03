// What the parts of quantization share: cutting a tensor into pieces, one scratch per thread, and the first bad weight.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <limits>

#include "base/widest.hpp"
#include "ops/quantization.hpp"

namespace nibble {

// Elements per piece: its fp32 values stay in the first-level cache between the loops over them, and it is a multiple
// of every block size, so pieces share neither a block nor a byte.
inline constexpr std::int64_t piece_elements = 4096;

// Scales that one scale of double quantization covers.
inline constexpr std::int64_t nested_block = 256;

// The lowest index of a weight that cannot be quantized, whichever thread met it.
class FirstBadWeight {
 public:
  void report(std::int64_t element) {
    std::int64_t seen = element_.load();
    while (element < seen && !element_.compare_exchange_weak(seen, element)) {
    }
  }
  bool found() const { return element_.load() != none; }
  std::int64_t element() const { return element_.load(); }

 private:
  static constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();
  std::atomic<std::int64_t> element_{none};
};

// The bits of |x|: ordered as the magnitudes are, with infinity and NaN above all finite ones. Integer maxima over them
// vectorise and, unlike float maxima, do not lose a NaN.
inline std::int32_t magnitude_bits(float x) { return std::bit_cast<std::int32_t>(x) & 0x7fffffff; }
inline constexpr std::int32_t infinity_bits = 0x7f800000;

NIBBLE_INLINE_LOOP inline std::int32_t largest_magnitude_bits(const float* x, std::int64_t count) {
  std::int32_t largest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t bits = magnitude_bits(x[i]);
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

// Per format family; `scratch` holds pool.size() * scratch_elements() floats.
std::int64_t scratch_elements(const Weight& weight);
void quantize_table(const ElementReader& read, QuantizedWeight& out, float* scales, ThreadPool& pool, float* scratch,
                    FirstBadWeight& bad);
void quantize_rows(const ElementReader& read, QuantizedWeight& out, ThreadPool& pool, float* scratch,
                   FirstBadWeight& bad);
void quantize_dense(const ElementReader& read, QuantizedWeight& out, ThreadPool& pool, float* scratch,
                    FirstBadWeight& bad);
// Turns fp32 scales into nested codes, their absmax and the offset.
void nest_scales(const float* scales, std::int64_t count, QuantizedWeight& out, ThreadPool& pool);

}  // namespace nibble
