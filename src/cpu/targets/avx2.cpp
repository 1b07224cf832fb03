// AVX2 with FMA and F16C: every x86 server since 2013.
#include <immintrin.h>

#include "cpu/kernels.hpp"
#include "formats/all.hpp"
#include "ops/reference.hpp"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")

namespace nibble {
namespace {
namespace on_avx2 {

#include "cpu/targets/vec256.hpp"

inline void store_i8(std::int8_t* p, F x) {
  const I whole = _mm256_cvtps_epi32(x);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
  _mm_storel_epi64((__m128i*)p, _mm_packs_epi16(words, words));
}
inline void start_int8(const std::int8_t*, std::int64_t, std::int32_t* start) {
  for (int i = 0; i < 16; ++i) start[i] = 0;
}
struct MultiplyInt8 {
  using Sum = I;
  static constexpr std::int64_t x_bytes = 16;  // widened to words: their products cannot overflow
  static I load_code(const std::byte* p) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)p)); }
  static I load_x(const std::byte* p) { return load_code(p); }
  static I load_w(const std::byte* p) { return _mm256_loadu_si256((const __m256i*)p); }
  static I step(I sum, I x, I w) { return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w)); }
};

// Each uses what stands above it.
// clang-format off
#include "cpu/targets/linear_body.hpp"
#include "cpu/targets/row_body.hpp"
#include "cpu/targets/attention_body.hpp"
// clang-format on

}  // namespace on_avx2
}  // namespace

#pragma GCC pop_options

const Kernels& avx2_kernels() {
  static const Kernels kernels{"avx2",
                               Activations::f32,
                               Activations::f32_paired,
                               Activations::f32,
                               8,
                               on_avx2::linear,
                               on_avx2::arrange,
                               on_avx2::scan_int8,
                               on_avx2::encode_int8,
                               on_avx2::rms_norm,
                               on_avx2::silu_mul,
                               on_avx2::attention};
  return kernels;
}

}  // namespace nibble
