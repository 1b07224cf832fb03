// AVX2 with FMA and F16C: every x86 server since 2013.
#include <immintrin.h>

#include "cpu/kernels.hpp"
#include "formats/all.hpp"

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
  static constexpr Instruction instruction = Instruction::int16_madd;
  static constexpr std::int64_t x_bytes = 16;  // widened to words: their products cannot overflow
  static I load_code(const std::byte* p) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)p)); }
  static I load_x(const std::byte* p) { return load_code(p); }
  static I load_w(const std::byte* p) { return _mm256_loadu_si256((const __m256i*)p); }
  static I step(I sum, I x, I w) { return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w)); }
};

// The spine: each uses what stands above it.
// clang-format off
#include "cpu/targets/tile_tools.hpp"
#include "cpu/targets/layouts_body.hpp"
#include "cpu/targets/packed_tiles.hpp"
#include "cpu/targets/dense_f32_body.hpp"
#include "cpu/targets/decoded_f32_body.hpp"
#include "cpu/targets/blocks_f32_body.hpp"
#include "cpu/targets/table_f32_body.hpp"
#include "cpu/targets/table_f32_panel_body.hpp"
#include "cpu/targets/int8_body.hpp"
#include "cpu/targets/int8_activations_body.hpp"
#include "cpu/targets/row_body.hpp"
#include "cpu/targets/attention_body.hpp"
// clang-format on

// Best first.
constexpr Product products[] = {int8_product, int8_any_columns, table_f32_by_panels,
                                dense_f32,    blocks_f32,       decoded_f32};

}  // namespace on_avx2
}  // namespace

#pragma GCC pop_options

const Kernels avx2_kernels = {
    .name = "avx2",
    .products = on_avx2::products,
    .scan_int8 = on_avx2::scan_int8,
    .encode_int8 = on_avx2::encode_int8,
    .rms_norm = on_avx2::rms_norm,
    .silu_mul = on_avx2::silu_mul,
    .attention = on_avx2::attention,
};

}  // namespace nibble
