#include "ops/dequantize.hpp"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/widest.hpp"
#include "formats/all.hpp"

// GCC 12 warns about the undefined registers that its own intrinsics are written with (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace nibble {
namespace {

// The values of 16 codes, and the two values of each byte of codes: one look-up gives two.
struct Values {
  alignas(64) std::array<float, 16> of_code;
  std::array<std::array<float, 2>, 256> of_byte;

  explicit Values(std::span<const float> table) {
    if (table.data() == nullptr) return;  // a rehearsal's weight: it has sizes alone, and nobody reads it
    std::copy_n(table.begin(), 16, of_code.begin());
    for (std::size_t byte = 0; byte < 256; ++byte) of_byte[byte] = {table[byte >> 4], table[byte & 15]};
  }
};

// Elements of one block of a table format, from a whole byte on.
using ReadCodes = void(const std::uint8_t* codes, const Values& values, std::int64_t count, float scale, float* out);

void read_codes(const std::uint8_t* codes, const Values& values, std::int64_t count, float scale, float* out) {
  for (std::int64_t i = 0; i < count / 2; ++i) {
    const std::array<float, 2>& pair = values.of_byte[codes[i]];
    out[2 * i] = pair[0] * scale, out[2 * i + 1] = pair[1] * scale;
  }
  if (count % 2) out[count - 1] = values.of_code[codes[count / 2] >> 4] * scale;
}

// The same with the whole table in one register: at_widest() cannot find that.
[[gnu::target("avx512f,avx512bw")]] void read_codes_avx512(const std::uint8_t* codes, const Values& values,
                                                           std::int64_t count, float scale, float* out) {
  const __m512 table = _mm512_load_ps(values.of_code.data()), scales = _mm512_set1_ps(scale);
  const std::int64_t whole = count / 16 * 16;
  for (std::int64_t i = 0; i < whole; i += 16) {
    // Each byte in 64 bits: its high nibble goes to the lower half, itself to the upper; a look-up takes four bits.
    const __m512i bytes = _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + i / 2)));
    const __m512i indices = _mm512_or_si512(_mm512_srli_epi64(bytes, 4), _mm512_slli_epi64(bytes, 32));
    _mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_permutexvar_ps(indices, table), scales));
  }
  if (whole < count) read_codes(codes + whole / 2, values, count - whole, scale, out + whole);
}

void read_table(const Weight& weight, const Values& values, std::int64_t first, std::int64_t count, float* out) {
  const auto* codes = reinterpret_cast<const std::uint8_t*>(weight.codes);
  ReadCodes* const read = used_width() == VectorWidth::avx512 ? read_codes_avx512 : read_codes;
  if (first % 2 && count > 0) {  // the low nibble alone
    *out++ = values.of_code[codes[first / 2] & 15] * weight.scale(first / weight.block_size);
    ++first, --count;
  }
  for (const std::int64_t end = first + count; first < end;) {
    const std::int64_t block = first / weight.block_size, here = std::min(end, (block + 1) * weight.block_size) - first;
    read(codes + first / 2, values, here, weight.scale(block), out);
    first += here, out += here;
  }
}

template <RowCodeFormat F>
void read_rows(const Weight& weight, std::int64_t first, std::int64_t count, float* out) {
  const auto* codes = reinterpret_cast<const std::int8_t*>(weight.codes);
  for (const std::int64_t end = first + count; first < end;) {
    const std::int64_t row = first / weight.cols, here = std::min(end, (row + 1) * weight.cols) - first;
    const float scale = weight.scale(row);
    at_widest(
        [](const std::int8_t* codes, std::int64_t count, float scale, float* out) NIBBLE_INLINE_LOOP {
          for (std::int64_t i = 0; i < count; ++i) out[i] = float(codes[i]) * scale * F::step;
        },
        codes + first, here, scale, out);
    first += here, out += here;
  }
}

template <DenseFormat F>
void read_dense(const Weight& weight, std::int64_t first, std::int64_t count, float* out) {
  at_widest(
      [](const std::byte* codes, std::int64_t count, float* out) NIBBLE_INLINE_LOOP {
        for (std::int64_t i = 0; i < count; ++i) {
          typename F::Code code;
          std::memcpy(&code, codes + std::size_t(i) * sizeof code, sizeof code);
          out[i] = F::value(code);
        }
      },
      weight.codes + std::size_t(first) * sizeof(typename F::Code), count, out);
}

}  // namespace

ElementReader reader_of(const Weight& weight) {
  ElementReader reader;
  visit_format(weight.format, [&]<class F>() {
    if constexpr (DenseFormat<F>)
      reader = [=](std::int64_t first, std::int64_t count, float* out) { read_dense<F>(weight, first, count, out); };
    else if constexpr (RowCodeFormat<F>)
      reader = [=](std::int64_t first, std::int64_t count, float* out) { read_rows<F>(weight, first, count, out); };
    else if constexpr (TableFormat<F>)
      reader = [weight, values = Values(weight.table)](std::int64_t first, std::int64_t count, float* out) {
        read_table(weight, values, first, count, out);
      };
  });
  NIBBLE_ASSERT(reader, "blocks of a GGUF file are read by their own decoders");
  return reader;
}

}  // namespace nibble
