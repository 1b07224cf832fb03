// Each of ggml's block types as a static type: its geometry and its functions (see GgmlType). Every family has a file.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/numeric.hpp"

namespace nibble::ggml {

static_assert(std::endian::native == std::endian::little, "blocks are little-endian and read as they lie");

using Decode = void(const std::byte* from, std::int64_t count, float* out);
using Encode = void(const float* from, std::int64_t count, std::byte* out);

template <std::int64_t Elements, std::int64_t Bytes>
struct Block {
  static constexpr std::int64_t elements = Elements, bytes = Bytes;
};

// clang-format off
// ggml_plain.cpp
struct F32 : Block<1, 4>  { static Decode decode; static Encode encode; };
struct F16 : Block<1, 2>  { static Decode decode; static Encode encode; };
struct BF16 : Block<1, 2> { static Decode decode; static Encode encode; };
struct F64 : Block<1, 8>  { static Decode decode; };
struct I8 : Block<1, 1>   { static Decode decode; };
struct I16 : Block<1, 2>  { static Decode decode; };
struct I32 : Block<1, 4>  { static Decode decode; };
struct I64 : Block<1, 8>  { static Decode decode; };

// ggml_legacy.cpp
struct Q4_0 : Block<32, 18> { static Decode decode; static Encode encode; };
struct Q4_1 : Block<32, 20> { static Decode decode; static Encode encode; };
struct Q5_0 : Block<32, 22> { static Decode decode; static Encode encode; };
struct Q5_1 : Block<32, 24> { static Decode decode; static Encode encode; };
struct Q8_0 : Block<32, 34> { static Decode decode; static Encode encode; };
struct Q8_1 : Block<32, 36> {};  // activations only; no file holds it

// ggml_k_decode.cpp, ggml_k_encode.cpp
struct Q2_K : Block<256, 84>  { static Decode decode; };
struct Q3_K : Block<256, 110> { static Decode decode; };
struct Q4_K : Block<256, 144> { static Decode decode; static Encode encode; };
struct Q5_K : Block<256, 176> { static Decode decode; static Encode encode; };
struct Q6_K : Block<256, 210> { static Decode decode; static Encode encode; };
struct Q8_K : Block<256, 292> { static Decode decode; };

// ggml_grids.cpp
struct IQ1_S : Block<256, 50>   { static Decode decode; };
struct IQ1_M : Block<256, 56>   { static Decode decode; };
struct IQ2_XXS : Block<256, 66> { static Decode decode; };
struct IQ2_XS : Block<256, 74>  { static Decode decode; };
struct IQ2_S : Block<256, 82>   { static Decode decode; };
struct IQ3_XXS : Block<256, 98> { static Decode decode; };
struct IQ3_S : Block<256, 110>  { static Decode decode; };

// ggml_iq4.cpp
struct IQ4_NL : Block<32, 18>   { static Decode decode; static Encode encode; };
struct IQ4_XS : Block<256, 136> { static Decode decode; };

// ggml_ternary.cpp
struct TQ1_0 : Block<256, 54> { static Decode decode; };
struct TQ2_0 : Block<256, 66> { static Decode decode; };

// ggml_mxfp4.cpp
struct MXFP4 : Block<32, 17> { static Decode decode; };
// clang-format on

// Calls decode_one(block, 32 or 256 values) for each block of type T.
template <class T, class DecodeOne>
void decode_each(const std::byte* from, std::int64_t count, float* out, DecodeOne decode_one) {
  for (; count > 0; count -= T::elements, from += T::bytes, out += T::elements) decode_one(from, out);
}
template <class T, class EncodeOne>
void encode_each(const float* from, std::int64_t count, std::byte* out, EncodeOne encode_one) {
  for (; count > 0; count -= T::elements, from += T::elements, out += T::bytes) encode_one(from, out);
}

template <class T>
T read(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T>
void write(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}
inline float read_f16(const std::byte* at) { return f16_to_float(read<std::uint16_t>(at)); }

// ggml's rounding to fp16: as everybody's, but a NaN loses its payload.
inline std::uint16_t to_f16(float value) {
  return value == value ? float_to_f16(value)
                        : std::uint16_t((std::bit_cast<std::uint32_t>(value) >> 16 & 0x8000) | 0x7e00);
}

}  // namespace nibble::ggml
