// ggml's tensor types: block geometry of all, decoding of the simple ones. Source: ggml-common.h and the gguf Python
// package.
//
// Decoded values are those of ggml's own dequantizers bit for bit: scale * code (+ minimum) in fp32, one rounding each.
#include <array>
#include <cstring>

#include "base/numeric.hpp"
#include "io/gguf.hpp"

namespace nibble {
namespace {

float read_f16(const std::byte* at) {
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return f16_to_float(bits);
}

template <class Code, class Decode>
void decode_plain(const std::byte* from, std::int64_t count, float* out, Decode decode) {
  for (std::int64_t i = 0; i < count; ++i) {
    Code code;
    std::memcpy(&code, from + std::size_t(i) * sizeof code, sizeof code);
    out[i] = decode(code);
  }
}

void decode_f32(const std::byte* from, std::int64_t count, float* out) {
  if (count > 0) std::memcpy(out, from, std::size_t(count) * sizeof(float));
}
void decode_f64(const std::byte* from, std::int64_t count, float* out) {
  decode_plain<double>(from, count, out, [](double x) { return float(x); });
}
void decode_f16(const std::byte* from, std::int64_t count, float* out) {
  decode_plain<std::uint16_t>(from, count, out, f16_to_float);
}
void decode_bf16(const std::byte* from, std::int64_t count, float* out) {
  decode_plain<std::uint16_t>(from, count, out, bf16_to_float);
}

void decode_q8_0(const std::byte* from, std::int64_t count, float* out) {
  for (; count > 0; count -= 32, from += 34, out += 32) {
    const float scale = read_f16(from);
    for (int i = 0; i < 32; ++i) out[i] = float(std::int8_t(from[2 + i])) * scale;
  }
}

// Low nibbles are the first half of a block, high nibbles the second.
void decode_q4_0(const std::byte* from, std::int64_t count, float* out) {
  for (; count > 0; count -= 32, from += 18, out += 32) {
    const float scale = read_f16(from);
    for (int i = 0; i < 16; ++i) {
      const int byte = int(from[2 + i]);
      out[i] = float((byte & 15) - 8) * scale;
      out[i + 16] = float((byte >> 4) - 8) * scale;
    }
  }
}

void decode_q4_1(const std::byte* from, std::int64_t count, float* out) {
  for (; count > 0; count -= 32, from += 20, out += 32) {
    const float scale = read_f16(from), minimum = read_f16(from + 2);
    for (int i = 0; i < 16; ++i) {
      const int byte = int(from[4 + i]);
      out[i] = float(byte & 15) * scale + minimum;
      out[i + 16] = float(byte >> 4) * scale + minimum;
    }
  }
}

// The fifth bits of a block are one little-endian word, bit i of element i.
void decode_q5_0(const std::byte* from, std::int64_t count, float* out) {
  for (; count > 0; count -= 32, from += 22, out += 32) {
    const float scale = read_f16(from);
    std::uint32_t fifth;
    std::memcpy(&fifth, from + 2, sizeof fifth);
    for (int i = 0; i < 16; ++i) {
      const int byte = int(from[6 + i]);
      out[i] = float(((byte & 15) | int(fifth >> i & 1) << 4) - 16) * scale;
      out[i + 16] = float(((byte >> 4) | int(fifth >> (i + 16) & 1) << 4) - 16) * scale;
    }
  }
}

void decode_q5_1(const std::byte* from, std::int64_t count, float* out) {
  for (; count > 0; count -= 32, from += 24, out += 32) {
    const float scale = read_f16(from), minimum = read_f16(from + 2);
    std::uint32_t fifth;
    std::memcpy(&fifth, from + 4, sizeof fifth);
    for (int i = 0; i < 16; ++i) {
      const int byte = int(from[8 + i]);
      out[i] = float((byte & 15) | int(fifth >> i & 1) << 4) * scale + minimum;
      out[i + 16] = float((byte >> 4) | int(fifth >> (i + 16) & 1) << 4) * scale + minimum;
    }
  }
}

constexpr GgmlType types[] = {
    {0, "F32", 1, 4, decode_f32},      {1, "F16", 1, 2, decode_f16},      {2, "Q4_0", 32, 18, decode_q4_0},
    {3, "Q4_1", 32, 20, decode_q4_1},  {6, "Q5_0", 32, 22, decode_q5_0},  {7, "Q5_1", 32, 24, decode_q5_1},
    {8, "Q8_0", 32, 34, decode_q8_0},  {9, "Q8_1", 32, 36, nullptr},      {10, "Q2_K", 256, 84, nullptr},
    {11, "Q3_K", 256, 110, nullptr},   {12, "Q4_K", 256, 144, nullptr},   {13, "Q5_K", 256, 176, nullptr},
    {14, "Q6_K", 256, 210, nullptr},   {15, "Q8_K", 256, 292, nullptr},   {16, "IQ2_XXS", 256, 66, nullptr},
    {17, "IQ2_XS", 256, 74, nullptr},  {18, "IQ3_XXS", 256, 98, nullptr}, {19, "IQ1_S", 256, 50, nullptr},
    {20, "IQ4_NL", 32, 18, nullptr},   {21, "IQ3_S", 256, 110, nullptr},  {22, "IQ2_S", 256, 82, nullptr},
    {23, "IQ4_XS", 256, 136, nullptr}, {24, "I8", 1, 1, nullptr},         {25, "I16", 1, 2, nullptr},
    {26, "I32", 1, 4, nullptr},        {27, "I64", 1, 8, nullptr},        {28, "F64", 1, 8, decode_f64},
    {29, "IQ1_M", 256, 56, nullptr},   {30, "BF16", 1, 2, decode_bf16},   {34, "TQ1_0", 256, 54, nullptr},
    {35, "TQ2_0", 256, 66, nullptr},   {39, "MXFP4", 32, 17, nullptr},
};

}  // namespace

const GgmlType* ggml_type(std::uint32_t number) {
  for (const GgmlType& type : types)
    if (type.number == number) return &type;
  return nullptr;
}

}  // namespace nibble
