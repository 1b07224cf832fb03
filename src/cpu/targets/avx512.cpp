// AVX-512 without its dot products: Skylake-X.
#include <immintrin.h>

#include "cpu/kernels.hpp"
#include "formats/all.hpp"

// GCC 12 warns about the undefined registers that its own intrinsics are written with (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")

namespace nibble {
namespace {
namespace on_avx512 {

#include "cpu/targets/vec512.hpp"

inline void store_i8(std::int8_t* p, F x) {
  _mm_storeu_si128((__m128i*)p, _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x)));
}
inline void start_int8(const std::int8_t*, std::int64_t, std::int32_t* start) {
  for (int i = 0; i < 16; ++i) start[i] = 0;
}
struct MultiplyInt8 {
  using Sum = I;
  static constexpr Instruction instruction = Instruction::int16_madd;
  static constexpr std::int64_t x_bytes = 32;  // widened to words: their products cannot overflow
  static I load_code(const std::byte* p) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i*)p)); }
  static I load_x(const std::byte* p) { return load_code(p); }
  static I load_w(const std::byte* p) { return _mm512_loadu_si512(p); }
  static I step(I sum, I x, I w) { return _mm512_add_epi32(sum, _mm512_madd_epi16(x, w)); }
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
#include "cpu/targets/int8_body.hpp"
#include "cpu/targets/int8_activations_body.hpp"
#include "cpu/targets/row_body.hpp"
#include "cpu/targets/attention_body.hpp"
// clang-format on

// Best first.
constexpr Product products[] = {int8_product, int8_any_columns, table_f32, dense_f32, blocks_f32, decoded_f32};

}  // namespace on_avx512
}  // namespace

#pragma GCC pop_options

const Kernels avx512_kernels = {
    .name = "avx512",
    .products = on_avx512::products,
    .scan_int8 = on_avx512::scan_int8,
    .encode_int8 = on_avx512::encode_int8,
    .rms_norm = on_avx512::rms_norm,
    .silu_mul = on_avx512::silu_mul,
    .attention = on_avx512::attention,
};

}  // namespace nibble
