// The k family: 256 elements share fp16 factors; every 16 or 32 of them have a small integer scale, and in q2_K, q4_K
// and q5_K a minimum as well.
#include "io/ggml/ggml_blocks.hpp"
#include "io/ggml/k_scales.hpp"

namespace nibble::ggml {
namespace {
int at(const std::byte* bytes, int i) { return int(bytes[i]); }
}  // namespace

// 16 bytes: low nibble scale, high nibble minimum; 64 bytes of codes; d, dmin. A byte of codes holds elements that are
// 32 apart, within each half of the block.
void Q2_K::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<Q2_K>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block + 80), dmin = read_f16(block + 82);
    for (int part = 0; part < 16; ++part) {
      const float scale = d * float(at(block, part) & 15), minimum = dmin * float(at(block, part) >> 4);
      const std::byte* codes = block + 16 + 32 * (part / 8) + 16 * (part % 2);
      for (int i = 0; i < 16; ++i) *values++ = scale * float(at(codes, i) >> 2 * (part / 2 % 4) & 3) - minimum;
    }
  });
}

// 32 bytes: bit s of byte i is the third bit of element 32 s + i; 64 bytes of low codes as in q2_K; 12 bytes with
// sixteen 6-bit scales, offset by 32: first their low nibbles, then their high two bits; d.
void Q3_K::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<Q3_K>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block + 108);
    const std::byte* packed = block + 96;
    for (int part = 0; part < 16; ++part) {
      const int low = at(packed, part % 8) >> 4 * (part / 8) & 15,
                high = at(packed, 8 + part % 4) >> 2 * (part / 4) & 3;
      const float scale = d * float((low | high << 4) - 32);
      const std::byte *third = block + 16 * (part % 2), *codes = block + 32 + 32 * (part / 8) + 16 * (part % 2);
      for (int i = 0; i < 16; ++i) {
        const int code = (at(codes, i) >> 2 * (part / 2 % 4) & 3) | (at(third, i) >> part / 2 & 1) << 2;
        *values++ = scale * float(code - 4);
      }
    }
  });
}

// d, dmin; 12 bytes of scales and minima (k_scales.hpp); 128 bytes of nibbles: elements that are 32 apart share a byte.
void Q4_K::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<Q4_K>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block), dmin = read_f16(block + 2);
    for (int part = 0; part < 8; ++part) {
      const ScaleAndMinimum packed = read_k_scale(block + 4, part);
      const float scale = d * float(packed.scale), minimum = dmin * float(packed.minimum);
      const std::byte* codes = block + 16 + 32 * (part / 2);
      for (int i = 0; i < 32; ++i) *values++ = scale * float(at(codes, i) >> 4 * (part % 2) & 15) - minimum;
    }
  });
}

// As q4_K, and before the nibbles 32 bytes: bit s of byte i is the fifth bit of element 32 s + i.
void Q5_K::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<Q5_K>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block), dmin = read_f16(block + 2);
    for (int part = 0; part < 8; ++part) {
      const ScaleAndMinimum packed = read_k_scale(block + 4, part);
      const float scale = d * float(packed.scale), minimum = dmin * float(packed.minimum);
      const std::byte *fifth = block + 16, *codes = block + 48 + 32 * (part / 2);
      for (int i = 0; i < 32; ++i) {
        const int code = (at(codes, i) >> 4 * (part % 2) & 15) | (at(fifth, i) >> part & 1) << 4;
        *values++ = scale * float(code) - minimum;
      }
    }
  });
}

// Of each half of 128 elements, 32 k + i: low nibble in byte 32 (k % 2) + i, high two bits in byte i at 2 k. First all
// 128 bytes of nibbles, then 64 of high bits, 16 signed scales, d. Codes are offset by 32.
void Q6_K::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<Q6_K>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read_f16(block + 208);
    for (int part = 0; part < 16; ++part) {
      const int half = part / 8, k = part / 2 % 4, from_element = 16 * (part % 2);
      const float scale = d * float(std::int8_t(block[192 + part]));
      const std::byte *low = block + 64 * half + 32 * (k % 2) + from_element,
                      *high = block + 128 + 32 * half + from_element;
      for (int i = 0; i < 16; ++i) {
        const int code = (at(low, i) >> 4 * (k / 2) & 15) | (at(high, i) >> 2 * k & 3) << 4;
        *values++ = scale * float(code - 32);
      }
    }
  });
}

// An fp32 factor and signed bytes; sums of 16 codes follow, for products, and are not needed here.
void Q8_K::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<Q8_K>(from, count, out, [](const std::byte* block, float* values) {
    const float d = read<float>(block);
    for (int i = 0; i < 256; ++i) values[i] = d * float(std::int8_t(block[4 + i]));
  });
}

}  // namespace nibble::ggml
