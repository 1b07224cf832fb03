// 4-bit table formats: one absmax per block of the flattened matrix, then a code for x / absmax.
// Vectorised by the compiler on the baseline instruction set; two cores encode about a billion weights in a few
// seconds, and reading a bf16 source costs as much.
#include <algorithm>
#include <bit>
#include <type_traits>

#include "formats/all.hpp"
#include "ops/quantize_pieces.hpp"

namespace nibble {
namespace {

// Below this, 1 / absmax would overflow; such blocks are treated as if their absmax were this.
constexpr float smallest_absmax = 1e-38f;

// Codes of `count` numbers, which must not alias. F::encode is the rule; this is a loop that compilers vectorise.
template <class F>
void encode_all(const float* __restrict t, std::int64_t count, std::uint8_t* __restrict codes) {
  for (std::int64_t i = 0; i < count; ++i) codes[i] = F::encode(t[i]);
}

// One block: its scale, and x scaled to [-1, 1] in place. bitsandbytes' CPU code multiplies whole blocks by 1/absmax
// but divides a last, shorter block by absmax (and stores that absmax raised to the smallest); its CUDA kernel always
// multiplies.
template <class F>
float scale_block(float* x, std::int64_t count, float absmax, bool whole) {
  const float divisor = std::max(absmax, smallest_absmax);
  if (std::is_same_v<F, Nf4> && !whole) {
    for (std::int64_t i = 0; i < count; ++i) x[i] /= divisor;
    absmax = divisor;
  } else {
    const float inverse = 1.0f / divisor;
    for (std::int64_t i = 0; i < count; ++i) x[i] *= inverse;
  }
  return absmax;
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
    auto* codes = reinterpret_cast<std::uint8_t*>(x + piece_elements);
    read(first, count, x);
    for (std::int64_t b = 0; b < count; b += block) {
      const std::int64_t size = std::min(block, count - b);
      const std::int32_t largest = largest_magnitude_bits(x + b, size);
      if (largest >= infinity_bits) {
        std::int64_t i = b;
        while (magnitude_bits(x[i]) < infinity_bits) ++i;
        return bad.report(first + i);
      }
      scales[(first + b) / block] = scale_block<F>(x + b, size, std::bit_cast<float>(largest), size == block);
    }
    encode_all<F>(x, count, codes);
    if (count % 2) codes[count] = F::encode(0.0f);  // the unused low nibble of the last byte
    for (std::int64_t i = 0; i < (count + 1) / 2; ++i)
      packed[first / 2 + i] = std::uint8_t(codes[2 * i] << 4 | codes[2 * i + 1]);
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
