#include "ops/dequantize_table.hpp"

#include <immintrin.h>

#include <algorithm>
#include <cmath>

#include "base/widest.hpp"

// GCC 12 warns about the undefined registers that its own intrinsics are written with (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace nibble {
namespace {

using Pairs = std::array<std::array<float, 2>, 256>;

// Elements of one block, from a whole byte on, as fp32.
using Scale = void(const std::uint8_t* codes, const Pairs& of_byte, const float* of_code, std::int64_t count,
                   float scale, float* out);

void scale_codes(const std::uint8_t* codes, const Pairs& of_byte, const float* of_code, std::int64_t count, float scale,
                 float* out) {
  for (std::int64_t i = 0; i < count / 2; ++i) {
    const std::array<float, 2>& pair = of_byte[codes[i]];
    out[2 * i] = pair[0] * scale;
    out[2 * i + 1] = pair[1] * scale;
  }
  if (count % 2) out[count - 1] = of_code[codes[count / 2] >> 4] * scale;
}

// The same with the whole table in one register: at_widest() cannot find that.
[[gnu::target("avx512f,avx512bw")]] void scale_codes_avx512(const std::uint8_t* codes, const Pairs& of_byte,
                                                            const float* of_code, std::int64_t count, float scale,
                                                            float* out) {
  const __m512 table = _mm512_load_ps(of_code), scales = _mm512_set1_ps(scale);
  const std::int64_t whole = count / 16 * 16;
  for (std::int64_t i = 0; i < whole; i += 16) {
    // Each byte in 64 bits: its high nibble goes to the lower half, itself to the upper; a look-up takes four bits.
    const __m512i bytes = _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + i / 2)));
    const __m512i indices = _mm512_or_si512(_mm512_srli_epi64(bytes, 4), _mm512_slli_epi64(bytes, 32));
    _mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_permutexvar_ps(indices, table), scales));
  }
  if (whole < count) scale_codes(codes + whole / 2, of_byte, of_code, count - whole, scale, out + whole);
}

// Rounding to 16 bits, for each width of vectors: the values of one block, and its codes as what they name.
//
//   round<F>(of_code, scale, values)   false if one of the 16 is not finite in that format
//   look_up(codes, values, count, out) from a whole byte on
struct Baseline {
  template <DenseFormat F>
  NIBBLE_INLINE_LOOP static bool round(const float* of_code, float scale, std::uint16_t* values) {
    for (int i = 0; i < 16; ++i) values[i] = F::encode(of_code[i] * scale);
    return largest(values) < F::encode(INFINITY);
  }
  NIBBLE_INLINE_LOOP static std::uint16_t largest(const std::uint16_t* values) {
    std::uint16_t largest = 0;
    for (int i = 0; i < 16; ++i) largest = std::max<std::uint16_t>(largest, values[i] & 0x7fff);
    return largest;
  }
  static void look_up(const std::uint8_t* codes, const std::uint16_t* values, std::int64_t count,
                      std::uint16_t* __restrict out) {
    for (std::int64_t i = 0; i < count / 2; ++i) {
      out[2 * i] = values[codes[i] >> 4];
      out[2 * i + 1] = values[codes[i] & 15];
    }
    if (count % 2) out[count - 1] = values[codes[count / 2] >> 4];
  }
};

struct Avx2 {
  template <DenseFormat F>
  [[gnu::target("avx2,f16c")]] static bool round(const float* of_code, float scale, std::uint16_t* values) {
    bool number = true;
    for (int i = 0; i < 16; i += 8) {
      const __m256 exact = _mm256_mul_ps(_mm256_load_ps(of_code + i), _mm256_set1_ps(scale));
      __m128i rounded;
      if constexpr (F::name == Fp16::name) {
        rounded = _mm256_cvtps_ph(exact, 0);
      } else {
        const __m256i bits = _mm256_castps_si256(exact);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        const __m256i wide =
            _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
        rounded = _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
      }
      _mm_store_si128(reinterpret_cast<__m128i*>(values + i), rounded);
      number = number && _mm256_movemask_ps(_mm256_cmp_ps(exact, exact, _CMP_UNORD_Q)) == 0;
    }
    return number && Baseline::largest(values) < F::encode(INFINITY);
  }
  // The table as two of bytes, lower and upper.
  [[gnu::target("avx2,f16c")]] static void look_up(const std::uint8_t* codes, const std::uint16_t* values,
                                                   std::int64_t count, std::uint16_t* out) {
    const __m256i both = _mm256_load_si256(reinterpret_cast<const __m256i*>(values));
    // Packing works within halves of 128 bits; the permutation puts its quarters in order.
    const __m256i bytes = _mm256_permute4x64_epi64(
        _mm256_packus_epi16(_mm256_and_si256(both, _mm256_set1_epi16(0xff)), _mm256_srli_epi16(both, 8)), 0b11011000);
    const __m256i lower = _mm256_permute2x128_si256(bytes, bytes, 0x00),
                  upper = _mm256_permute2x128_si256(bytes, bytes, 0x11);
    const std::int64_t whole = count / 32 * 32;
    for (std::int64_t i = 0; i < whole; i += 32) {
      // Each byte in 16 bits: its high nibble goes to the lower half, its low nibble to the upper.
      const __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + i / 2)));
      const __m256i indices = _mm256_and_si256(_mm256_or_si256(_mm256_srli_epi16(wide, 4), _mm256_slli_epi16(wide, 8)),
                                               _mm256_set1_epi8(15));
      const __m256i low = _mm256_shuffle_epi8(lower, indices), high = _mm256_shuffle_epi8(upper, indices);
      const __m256i a = _mm256_unpacklo_epi8(low, high), b = _mm256_unpackhi_epi8(low, high);
      auto* to = reinterpret_cast<__m256i*>(out + i);
      _mm256_storeu_si256(to, _mm256_permute2x128_si256(a, b, 0x20));
      _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(a, b, 0x31));
    }
    if (whole < count) Baseline::look_up(codes + whole / 2, values, count - whole, out + whole);
  }
};

struct Avx512 {
  template <DenseFormat F>
  [[gnu::target("avx512f,avx512bw,avx512vl")]] static bool round(const float* of_code, float scale,
                                                                 std::uint16_t* values) {
    const __m512 exact = _mm512_mul_ps(_mm512_load_ps(of_code), _mm512_set1_ps(scale));
    __m256i rounded;
    if constexpr (F::name == Fp16::name) {
      rounded = _mm512_cvtps_ph(exact, 0);
    } else {
      const __m512i bits = _mm512_castps_si512(exact);
      const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
      rounded = _mm512_cvtepi32_epi16(
          _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16));
    }
    _mm256_store_si256(reinterpret_cast<__m256i*>(values), rounded);
    const __m256i magnitudes = _mm256_and_si256(rounded, _mm256_set1_epi16(0x7fff));
    return !(_mm512_cmp_ps_mask(exact, exact, _CMP_UNORD_Q) |
             _mm256_cmpge_epu16_mask(magnitudes, _mm256_set1_epi16(short(F::encode(INFINITY)))));
  }
  // The table twice in one register: a look-up takes five bits, of which the fifth is then of no account.
  [[gnu::target("avx512f,avx512bw,avx512vl")]] static void look_up(const std::uint8_t* codes,
                                                                   const std::uint16_t* values, std::int64_t count,
                                                                   std::uint16_t* out) {
    const __m512i twice = _mm512_broadcast_i64x4(_mm256_load_si256(reinterpret_cast<const __m256i*>(values)));
    const std::int64_t whole = count / 32 * 32;
    for (std::int64_t i = 0; i < whole; i += 32) {
      // Each byte in 32 bits: its high nibble goes to the lower half, itself to the upper.
      const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + i / 2)));
      const __m512i indices = _mm512_or_si512(_mm512_srli_epi32(bytes, 4), _mm512_slli_epi32(bytes, 16));
      _mm512_storeu_si512(out + i, _mm512_permutexvar_epi16(indices, twice));
    }
    if (whole < count) Baseline::look_up(codes + whole / 2, values, count - whole, out + whole);
  }
};

// Whole blocks, of which the last may be short.
struct Blocks {
  const std::uint8_t* codes;
  const float* of_code;
  const float* scales;  // one per block
  std::int64_t block_size, count;
};

template <class Width, DenseFormat F>
NIBBLE_INLINE_LOOP inline bool round_blocks(const Blocks& from, std::uint16_t* out) {
  alignas(32) std::uint16_t values[16];
  bool finite = true;
  for (std::int64_t first = 0; first < from.count; first += from.block_size) {
    const std::int64_t count = std::min(from.block_size, from.count - first);
    const float scale = from.scales[first / from.block_size];
    const bool all = Width::template round<F>(from.of_code, scale, values);
    if (!all) Baseline::round<F>(from.of_code, scale, values);  // wide registers may have lost a NaN
    Width::look_up(from.codes + first / 2, values, count, out + first);
    if (all) continue;
    // What no code of the block names may be what it will.
    for (std::int64_t i = first; i < first + count; ++i) finite = finite && std::isfinite(F::value(out[i]));
  }
  return finite;
}
template <DenseFormat F>
[[gnu::target("avx512f,avx512bw,avx512vl")]] bool round_blocks_avx512(const Blocks& from, std::uint16_t* out) {
  return round_blocks<Avx512, F>(from, out);
}
template <DenseFormat F>
[[gnu::target("avx2,f16c")]] bool round_blocks_avx2(const Blocks& from, std::uint16_t* out) {
  return round_blocks<Avx2, F>(from, out);
}

}  // namespace

TableReader::TableReader(const Weight& weight) : weight_(weight) {
  if (weight.table.data() == nullptr) return;  // a rehearsal's weight: it has sizes alone, and nobody reads it
  std::copy_n(weight.table.begin(), 16, of_code_.begin());
  for (std::size_t byte = 0; byte < 256; ++byte) of_byte_[byte] = {of_code_[byte >> 4], of_code_[byte & 15]};
}

void TableReader::operator()(std::int64_t first, std::int64_t count, float* out) const {
  const auto* codes = reinterpret_cast<const std::uint8_t*>(weight_.codes);
  Scale* const read = used_width() == VectorWidth::avx512 ? scale_codes_avx512 : scale_codes;
  if (first % 2 && count > 0) {  // the low nibble alone
    *out++ = of_code_[codes[first / 2] & 15] * weight_.scale(first / weight_.block_size);
    ++first;
    --count;
  }
  for (const std::int64_t end = first + count; first < end;) {
    const std::int64_t block = first / weight_.block_size,
                       here = std::min(end, (block + 1) * weight_.block_size) - first;
    read(codes + first / 2, of_byte_, of_code_.data(), here, weight_.scale(block), out);
    first += here;
    out += here;
  }
}

template <DenseFormat F>
bool TableReader::round(std::int64_t first, std::int64_t count, typename F::Code* out) const {
  const auto* codes = reinterpret_cast<const std::uint8_t*>(weight_.codes);
  std::array<float, 64> scales;
  const std::int64_t most = std::int64_t(scales.size()) * weight_.block_size;
  bool finite = true;
  for (const std::int64_t end = first + count; first < end; first += most, out += most) {
    const std::int64_t here = std::min(most, end - first), block = first / weight_.block_size;
    for (std::int64_t i = 0; i * weight_.block_size < here; ++i) scales[std::size_t(i)] = weight_.scale(block + i);
    const Blocks blocks{codes + first / 2, of_code_.data(), scales.data(), weight_.block_size, here};
    switch (used_width()) {
      case VectorWidth::avx512:
        finite &= round_blocks_avx512<F>(blocks, out);
        break;
      case VectorWidth::avx2:
        finite &= round_blocks_avx2<F>(blocks, out);
        break;
      default:
        finite &= round_blocks<Baseline, F>(blocks, out);
    }
  }
  return finite;
}

template bool TableReader::round<Bf16>(std::int64_t, std::int64_t, Bf16::Code*) const;
template bool TableReader::round<Fp16>(std::int64_t, std::int64_t, Fp16::Code*) const;

}  // namespace nibble
