// AVX-512 with VNNI and BF16: Zen 4 and later, Cooper Lake, Sapphire Rapids.
#include <immintrin.h>

#include "cpu/kernels.hpp"
#include "formats/all.hpp"

// GCC 12 warns about the undefined registers that its own intrinsics are written with (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")

namespace nibble {
namespace {
namespace on_avx512_vnni_bf16 {

#include "cpu/targets/vec512.hpp"

inline void store_i8(std::int8_t* p, F x) {
  _mm_storeu_si128((__m128i*)p, _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x)));
}
// The instruction multiplies unsigned by signed bytes: weights are shifted by 128 (one xor), and what that adds, 128
// times the sum of the activations, is taken off at the start.
inline void start_int8(const std::int8_t* codes, std::int64_t chunks, std::int32_t* start) {
  I sum = _mm512_setzero_si512();
  for (std::int64_t c = 0; c < chunks; ++c)
    sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), _mm512_loadu_si512(codes + c * chunk));
  _mm512_storeu_si512(start, _mm512_slli_epi32(_mm512_sub_epi32(_mm512_setzero_si512(), sum), 7));
}
struct MultiplyInt8 {
  using Sum = I;
  static constexpr Instruction instruction = Instruction::int8_dot;
  static constexpr std::int64_t x_bytes = 64;
  static I load_code(const std::byte* p) {
    return _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_set1_epi8(char(0x80)));
  }
  static I load_x(const std::byte* p) { return _mm512_loadu_si512(p); }
  static I load_w(const std::byte* p) { return _mm512_loadu_si512(p); }
  // Written as assembly because GCC 12 copies every sum of a tile around the intrinsic, through the stack.
  static I step(I sum, I x, I w) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
  }
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
#include "cpu/targets/dense_bf16_body.hpp"
#include "cpu/targets/table_bf16_body.hpp"
#include "cpu/targets/blocks_int16_body.hpp"
#include "cpu/targets/row_body.hpp"
#include "cpu/targets/attention_body.hpp"
// clang-format on

// Best first.
constexpr Product products[] = {int8_product, int8_any_columns, table_bf16, table_f32,  dense_bf16,
                                dense_f32,    blocks_int16,     blocks_f32, decoded_f32};

}  // namespace on_avx512_vnni_bf16
}  // namespace

#pragma GCC pop_options

const Kernels avx512_vnni_bf16_kernels = {
    .name = "avx512_vnni_bf16",
    .products = on_avx512_vnni_bf16::products,
    .scan_int8 = on_avx512_vnni_bf16::scan_int8,
    .encode_int8 = on_avx512_vnni_bf16::encode_int8,
    .rms_norm = on_avx512_vnni_bf16::rms_norm,
    .silu_mul = on_avx512_vnni_bf16::silu_mul,
    .attention = on_avx512_vnni_bf16::attention,
};

}  // namespace nibble
