// 4-bit table formats: one absmax per block of the flattened matrix, then a code for x / absmax.
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <type_traits>

#include "base/widest.hpp"
#include "formats/all.hpp"
#include "ops/quantize_pieces.hpp"

// GCC 12 warns about the undefined registers that its own intrinsics are written with (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace nibble {
namespace {

// Below this, 1 / absmax would overflow; such blocks are treated as if their absmax were this.
constexpr float smallest_absmax = 1e-38f;

// NF4 by halving the 15 middles four times instead of comparing with each: they lie in one register. Returns how many
// codes it made, all but a rest of fewer than 16.
[[gnu::target("avx512f,avx512bw")]] std::int64_t encode_nf4_avx512(const float* t, std::int64_t count,
                                                                   std::uint8_t* packed) {
  alignas(64) float middles[16 + 3] = {};
  for (int i = 0; i < 15; ++i) middles[i] = Nf4::middle(i);
  const __m512 eighth = _mm512_set1_ps(middles[7]), fourths = _mm512_loadu_ps(middles + 3),
               halves = _mm512_loadu_ps(middles + 1), ones = _mm512_load_ps(middles);
  const __m512i four = _mm512_set1_epi32(4), two = _mm512_set1_epi32(2), one = _mm512_set1_epi32(1);
  const auto above = [](__m512 x, __m512 middle) __attribute__((always_inline, target("avx512f,avx512bw"))) {
    return _mm512_cmp_ps_mask(x, middle, _CMP_GT_OQ);
  };
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m512 x = _mm512_loadu_ps(t + i);
    __m512i code = _mm512_maskz_set1_epi32(above(x, eighth), 8);
    code = _mm512_mask_add_epi32(code, above(x, _mm512_permutexvar_ps(code, fourths)), code, four);
    code = _mm512_mask_add_epi32(code, above(x, _mm512_permutexvar_ps(code, halves)), code, two);
    code = _mm512_mask_add_epi32(code, above(x, _mm512_permutexvar_ps(code, ones)), code, one);
    // Two codes in 64 bits, the first in the low half: it becomes the high nibble of their byte.
    const __m512i byte = _mm512_or_si512(_mm512_slli_epi64(code, 4), _mm512_srli_epi64(code, 32));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(packed + i / 2), _mm512_cvtepi64_epi8(byte));
  }
  return i;
}

// Codes of `count` (even) numbers, two to a byte, the first in the high nibble. Nothing aliases. F::encode is the rule.
template <class F>
void encode_all(const float* t, std::int64_t count, std::uint8_t* codes, std::uint8_t* packed) {
  std::int64_t done = 0;
  if constexpr (std::is_same_v<F, Nf4>)
    if (used_width() == VectorWidth::avx512) done = encode_nf4_avx512(t, count, packed);
  at_widest(
      [](const float* t, std::int64_t count, std::uint8_t* codes, std::uint8_t* packed) NIBBLE_INLINE_LOOP {
        for (std::int64_t i = 0; i < count; ++i) codes[i] = F::encode(t[i]);
        for (std::int64_t i = 0; i < count / 2; ++i) packed[i] = std::uint8_t(codes[2 * i] << 4 | codes[2 * i + 1]);
      },
      t + done, count - done, codes, packed + done / 2);
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
