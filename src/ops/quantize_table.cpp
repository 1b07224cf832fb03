// 4-bit table formats: one absmax per block of the flattened matrix, then a code for x / absmax.
#include <algorithm>
#include <bit>
#include <type_traits>

#include "base/widest.hpp"
#include "formats/all.hpp"
#include "ops/quantize_pieces.hpp"

namespace nibble {
namespace {

// Below this, 1 / absmax would overflow; such blocks are treated as if their absmax were this.
constexpr float smallest_absmax = 1e-38f;

// Codes of `count` (even) numbers, two to a byte, the first in the high nibble. Nothing aliases. F::encode is the rule.
template <class F>
void encode_all(const float* t, std::int64_t count, std::uint8_t* codes, std::uint8_t* packed) {
  at_widest(
      [](const float* t, std::int64_t count, std::uint8_t* codes, std::uint8_t* packed) NIBBLE_INLINE_LOOP {
        for (std::int64_t i = 0; i < count; ++i) codes[i] = F::encode(t[i]);
        for (std::int64_t i = 0; i < count / 2; ++i) packed[i] = std::uint8_t(codes[2 * i] << 4 | codes[2 * i + 1]);
      },
      t, count, codes, packed);
}

// One block: its scale, and x scaled to [-1, 1] in place. bitsandbytes' CPU code multiplies whole blocks by 1/absmax
// but divides a last, shorter block by absmax (and stores that absmax raised to the smallest); its CUDA kernel always
// multiplies.
template <class F>
NIBBLE_INLINE_LOOP inline float scale_block(float* __restrict x, std::int64_t count, float absmax, bool whole) {
  const float divisor = std::max(absmax, smallest_absmax);
  if (std::is_same_v<F, Nf4> && !whole) {
    for (std::int64_t i = 0; i < count; ++i) x[i] /= divisor;
    return divisor;
  }
  const float inverse = 1.0f / divisor;
  for (std::int64_t i = 0; i < count; ++i) x[i] *= inverse;
  return absmax;
}

// All blocks of a piece. Returns the first element that is not finite, or `count`.
template <class F>
std::int64_t scale_blocks(float* x, std::int64_t count, std::int64_t block, float* scales) {
  std::int64_t done = at_widest(
      [](float* x, std::int64_t count, std::int64_t block, float* scales) NIBBLE_INLINE_LOOP {
        std::int64_t done = 0;
        for (; done < count; done += block) {
          const std::int64_t size = std::min(block, count - done);
          const std::int32_t largest = largest_magnitude_bits(x + done, size);
          if (largest >= infinity_bits) break;
          scales[done / block] = scale_block<F>(x + done, size, std::bit_cast<float>(largest), size == block);
        }
        return done;
      },
      x, count, block, scales);
  while (done < count && magnitude_bits(x[done]) < infinity_bits) ++done;
  return std::min(done, count);
}

template <class F>
void quantize_as(const ElementReader& read, QuantizedWeight& out, float* scales, ThreadPool& pool, float* scratch,
                 FirstBadWeight& bad) {
  const std::int64_t elements = out.weight.elements(), block = out.weight.block_size;
  auto* packed = out.codes.as<std::uint8_t>();
  const std::int64_t stride = scratch_elements(out.weight);
  pool.run((elements + piece_elements - 1) / piece_elements, [&](std::int64_t piece, int thread) {
    const std::int64_t first = piece * piece_elements, count = std::min(piece_elements, elements - first);
    float* x = scratch + thread * stride;
    read(first, count, x);
    const std::int64_t finite = scale_blocks<F>(x, count, block, scales + first / block);
    if (finite < count) return bad.report(first + finite);
    if (count % 2) x[count] = 0;  // the unused low nibble of the last byte
    encode_all<F>(x, count + count % 2, reinterpret_cast<std::uint8_t*>(x + piece_elements), packed + first / 2);
  });
}

}  // namespace

void quantize_table(const ElementReader& read, QuantizedWeight& out, float* scales, ThreadPool& pool, float* scratch,
                    FirstBadWeight& bad) {
  visit_format(out.weight.format, [&]<class F>() {
    if constexpr (TableFormat<F>) quantize_as<F>(read, out, scales, pool, scratch, bad);
  });
}

}  // namespace nibble
