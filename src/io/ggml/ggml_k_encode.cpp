// q4_K, q5_K, q6_K: scales are searched run by run (k_search.hpp), rounded to small integers of a common factor, and
// codes are made anew for the rounded scales. Layouts: ggml_k_decode.cpp.
#include <cmath>

#include "io/ggml/float_lanes.hpp"
#include "io/ggml/ggml_blocks.hpp"
#include "io/ggml/k_scales.hpp"
#include "io/ggml/k_search.hpp"

namespace nibble::ggml {
namespace {

// nearest((x + minimum) / scale) between low and high, plus offset, for a run of elements.
void round_codes(const float* x, int run, float scale, float minimum, int low, int high, int offset,
                 std::uint8_t* codes) {
  for (int i = 0; i < run; i += 4) {
    const I4 code = between(nearest_int((load4(x + i) + minimum) / scale), low, high) + offset;
    for (int lane = 0; lane < 4; ++lane) codes[i + lane] = std::uint8_t(code[lane]);
  }
}

// Only the low byte is kept before it is compared, as in ggml.
unsigned six_bits(float x) {
  const auto byte = std::uint8_t(nearest_int(x));
  return byte < 63 ? byte : 63;
}

// d, dmin and the 12 bytes of scales; the codes of all 256 elements, unpacked.
void encode_affine(const float* x, const AffineSearch& search, std::byte* block, std::uint8_t (&codes)[256]) {
  AffineFit fits[8];
  fit_affine_8(x, search, fits);
  float largest_scale = 0, largest_minimum = 0;
  for (const AffineFit& fit : fits) {
    if (fit.scale > largest_scale) largest_scale = fit.scale;
    if (fit.minimum > largest_minimum) largest_minimum = fit.minimum;
  }
  const float per_scale = largest_scale > 0 ? 63.0f / largest_scale : 0.0f;
  const float per_minimum = largest_minimum > 0 ? 63.0f / largest_minimum : 0.0f;
  ScaleAndMinimum parts[8];
  for (int part = 0; part < 8; ++part)
    parts[part] = {six_bits(per_scale * fits[part].scale), six_bits(per_minimum * fits[part].minimum)};
  write(block, to_f16(largest_scale / 63.0f));
  write(block + 2, to_f16(largest_minimum / 63.0f));
  write_k_scales(parts, block + 4);

  const float d = read_f16(block), dmin = read_f16(block + 2);
  for (int part = 0; part < 8; ++part) {
    const float scale = d * float(parts[part].scale), minimum = dmin * float(parts[part].minimum);
    const float* values = x + 32 * part;
    if (scale != 0)
      round_codes(values, 32, scale, minimum, 0, search.top, 0, codes + 32 * part);
    else
      affine_codes(values, fits[part], search.top, codes + 32 * part);
  }
}

void pack_nibbles(const std::uint8_t* codes, std::byte* out) {
  for (int i = 0; i < 256; i += 64)
    for (int j = 0; j < 32; ++j) *out++ = std::byte((codes[i + j] & 15) | (codes[i + j + 32] & 15) << 4);
}

}  // namespace

void Q4_K::encode(const float* from, std::int64_t count, std::byte* out) {
  encode_each<Q4_K>(from, count, out, [](const float* x, std::byte* block) {
    std::uint8_t codes[256];
    encode_affine(x, {.top = 15, .first = -1.0f, .steps = 20}, block, codes);
    pack_nibbles(codes, block + 16);
  });
}

void Q5_K::encode(const float* from, std::int64_t count, std::byte* out) {
  encode_each<Q5_K>(from, count, out, [](const float* x, std::byte* block) {
    std::uint8_t codes[256];
    encode_affine(x, {.top = 31, .first = -0.5f, .steps = 15}, block, codes);
    for (int i = 0; i < 32; ++i) {
      unsigned fifth = 0;
      for (int part = 0; part < 8; ++part) fifth |= unsigned(codes[32 * part + i] >> 4) << part;
      block[16 + i] = std::byte(fifth);
    }
    pack_nibbles(codes, block + 48);
  });
}

void Q6_K::encode(const float* from, std::int64_t count, std::byte* out) {
  encode_each<Q6_K>(from, count, out, [](const float* x, std::byte* block) {
    SymmetricFit fits[16];
    fit_symmetric_16(x, fits);
    float largest = 0, magnitude = 0;
    for (const SymmetricFit& fit : fits)
      if (std::fabs(fit.scale) > magnitude) {
        magnitude = std::fabs(fit.scale);
        largest = fit.scale;
      }
    if (magnitude < 1e-15f) {  // counts as zero
      std::memset(block, 0, std::size_t(bytes));
      return;
    }
    const float per_scale = -128.0f / largest;
    write(block + 208, to_f16(1 / per_scale));
    const float d = read_f16(block + 208);
    std::uint8_t codes[256];
    for (int part = 0; part < 16; ++part) {
      const int nearest_scale = nearest_int(per_scale * fits[part].scale);
      const auto stored = std::int8_t(nearest_scale < 127 ? nearest_scale : 127);
      block[192 + part] = std::byte(stored);
      const float scale = d * float(stored);
      if (scale != 0)
        round_codes(x + 16 * part, 16, scale, 0, -32, 31, 32, codes + 16 * part);
      else
        symmetric_codes(x + 16 * part, fits[part], codes + 16 * part);
    }
    for (int half = 0; half < 2; ++half)
      for (int i = 0; i < 32; ++i) {
        const std::uint8_t* at = codes + 128 * half + i;
        block[64 * half + i] = std::byte((at[0] & 15) | (at[64] & 15) << 4);
        block[64 * half + 32 + i] = std::byte((at[32] & 15) | (at[96] & 15) << 4);
        block[128 + 32 * half + i] = std::byte(at[0] >> 4 | at[32] >> 4 << 2 | at[64] >> 4 << 4 | at[96] >> 4 << 6);
      }
  });
}

}  // namespace nibble::ggml
