// The first family: 32 elements share an fp16 scale, and q4_1 and q5_1 an fp16 minimum as well.
//
// Low nibbles are the first half of a block, high nibbles the second. The fifth bits of a block are one little-endian
// word, bit i of element i.
#include <cfloat>
#include <cmath>

#include "io/ggml/ggml_blocks.hpp"

namespace nibble::ggml {
namespace {

// Towards zero; 0 where no int is the answer (a denormal scale has an infinite inverse).
int whole(float x) { return x > -0x1p31f && x < 0x1p31f ? int(x) : 0; }

// Codes are integers from the low byte of an int, as ggml keeps them, and the top one takes what rounds above it.
int code_of(float x, int top) {
  const int code = std::int8_t(whole(x));
  return code < top ? code : top;
}

// The element that is farthest from zero, the first of them, with its sign.
float extreme(const float* x) {
  float magnitude = 0, value = 0;
  for (int i = 0; i < 32; ++i)
    if (magnitude < std::fabs(x[i])) {
      magnitude = std::fabs(x[i]);
      value = x[i];
    }
  return value;
}

struct Range {
  float low = FLT_MAX, high = -FLT_MAX;
};
Range range_of(const float* x) {
  Range range;
  for (int i = 0; i < 32; ++i) {
    if (x[i] < range.low) range.low = x[i];
    if (x[i] > range.high) range.high = x[i];
  }
  return range;
}

float inverse_of(float step) { return step != 0 ? 1 / step : 0.0f; }

// Nibbles and, if there are any, fifth bits.
template <class Code>
void decode_codes(const std::byte* nibbles, std::uint32_t fifth, float* out, Code value) {
  for (int i = 0; i < 16; ++i) {
    const int byte = int(nibbles[i]);
    out[i] = value((byte & 15) | int(fifth >> i & 1) << 4);
    out[i + 16] = value(byte >> 4 | int(fifth >> (i + 16) & 1) << 4);
  }
}
template <class Code>
std::uint32_t encode_codes(const float* x, std::byte* nibbles, Code code) {
  std::uint32_t fifth = 0;
  for (int i = 0; i < 16; ++i) {
    const unsigned low = unsigned(code(x[i])), high = unsigned(code(x[i + 16]));
    nibbles[i] = std::byte((low & 15) | (high & 15) << 4);
    fifth |= (low >> 4 & 1) << i | (high >> 4 & 1) << (i + 16);
  }
  return fifth;
}

// 2^(bits - 1) steps reach the extreme, on its own side of zero; the other side has one step fewer.
template <class Place>
void encode_symmetric(const float* x, int bits, std::byte* out, std::byte* nibbles, Place fifth_bits) {
  const int half = 1 << (bits - 1);
  const float step = extreme(x) / float(-half), inverse = inverse_of(step), offset = float(half) + 0.5f;
  write(out, to_f16(step));
  fifth_bits(encode_codes(x, nibbles, [=](float v) { return code_of(v * inverse + offset, 2 * half - 1); }));
}
template <class Place>
void encode_with_minimum(const float* x, int bits, std::byte* out, std::byte* nibbles, Place fifth_bits) {
  const int top = (1 << bits) - 1;
  const Range range = range_of(x);
  const float step = (range.high - range.low) / float(top), inverse = inverse_of(step);
  write(out, to_f16(step));
  write(out + 2, to_f16(range.low));
  fifth_bits(encode_codes(x, nibbles, [=](float v) { return code_of((v - range.low) * inverse + 0.5f, top); }));
}
void none(std::uint32_t) {}

}  // namespace

void Q4_0::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<Q4_0>(from, count, out, [](const std::byte* block, float* values) {
    const float scale = read_f16(block);
    decode_codes(block + 2, 0, values, [=](int code) { return float(code - 8) * scale; });
  });
}
void Q4_1::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<Q4_1>(from, count, out, [](const std::byte* block, float* values) {
    const float scale = read_f16(block), minimum = read_f16(block + 2);
    decode_codes(block + 4, 0, values, [=](int code) { return float(code) * scale + minimum; });
  });
}
void Q5_0::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<Q5_0>(from, count, out, [](const std::byte* block, float* values) {
    const float scale = read_f16(block);
    decode_codes(block + 6, read<std::uint32_t>(block + 2), values, [=](int code) { return float(code - 16) * scale; });
  });
}
void Q5_1::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<Q5_1>(from, count, out, [](const std::byte* block, float* values) {
    const float scale = read_f16(block), minimum = read_f16(block + 2);
    decode_codes(block + 8, read<std::uint32_t>(block + 4), values,
                 [=](int code) { return float(code) * scale + minimum; });
  });
}
void Q8_0::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<Q8_0>(from, count, out, [](const std::byte* block, float* values) {
    const float scale = read_f16(block);
    for (int i = 0; i < 32; ++i) values[i] = float(std::int8_t(block[2 + i])) * scale;
  });
}

void Q4_0::encode(const float* from, std::int64_t count, std::byte* out) {
  encode_each<Q4_0>(from, count, out,
                    [](const float* x, std::byte* block) { encode_symmetric(x, 4, block, block + 2, none); });
}
void Q4_1::encode(const float* from, std::int64_t count, std::byte* out) {
  encode_each<Q4_1>(from, count, out,
                    [](const float* x, std::byte* block) { encode_with_minimum(x, 4, block, block + 4, none); });
}
void Q5_0::encode(const float* from, std::int64_t count, std::byte* out) {
  encode_each<Q5_0>(from, count, out, [](const float* x, std::byte* block) {
    encode_symmetric(x, 5, block, block + 6, [=](std::uint32_t bits) { write(block + 2, bits); });
  });
}
void Q5_1::encode(const float* from, std::int64_t count, std::byte* out) {
  encode_each<Q5_1>(from, count, out, [](const float* x, std::byte* block) {
    encode_with_minimum(x, 5, block, block + 8, [=](std::uint32_t bits) { write(block + 4, bits); });
  });
}
// Codes round half away from zero. Adding the largest float below 0.5 and cutting off is exactly that, also where
// adding 0.5 would carry 0.49999997 up to 1.
void Q8_0::encode(const float* from, std::int64_t count, std::byte* out) {
  encode_each<Q8_0>(from, count, out, [](const float* x, std::byte* block) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = largest > std::fabs(x[i]) ? largest : std::fabs(x[i]);
    const float step = largest / 127.0f, inverse = inverse_of(step);
    write(block, to_f16(step));
    for (int i = 0; i < 32; ++i) {
      const float scaled = x[i] * inverse;
      block[2 + i] = std::byte(std::uint8_t(whole(scaled + std::copysign(0x1.fffffep-2f, scaled))));
    }
  });
}

}  // namespace nibble::ggml
