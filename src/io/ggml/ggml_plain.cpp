// ggml's element types that are no blocks: floats and integers.
#include "io/ggml/ggml_blocks.hpp"

namespace nibble::ggml {
namespace {

template <class Code, class ToFloat>
void decode_plain(const std::byte* from, std::int64_t count, float* out, ToFloat to_float) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = to_float(read<Code>(from + std::size_t(i) * sizeof(Code)));
}
template <class Number>
void decode_number(const std::byte* from, std::int64_t count, float* out) {
  decode_plain<Number>(from, count, out, [](Number x) { return float(x); });
}

}  // namespace

void F32::decode(const std::byte* from, std::int64_t count, float* out) {
  if (count > 0) std::memcpy(out, from, std::size_t(count) * sizeof(float));
}
void F16::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_plain<std::uint16_t>(from, count, out, f16_to_float);
}
void BF16::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_plain<std::uint16_t>(from, count, out, bf16_to_float);
}
void F64::decode(const std::byte* from, std::int64_t count, float* out) { decode_number<double>(from, count, out); }
void I8::decode(const std::byte* from, std::int64_t count, float* out) { decode_number<std::int8_t>(from, count, out); }
void I16::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_number<std::int16_t>(from, count, out);
}
void I32::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_number<std::int32_t>(from, count, out);
}
void I64::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_number<std::int64_t>(from, count, out);
}

void F32::encode(const float* from, std::int64_t count, std::byte* out) {
  if (count > 0) std::memcpy(out, from, std::size_t(count) * sizeof(float));
}
void F16::encode(const float* from, std::int64_t count, std::byte* out) {
  for (std::int64_t i = 0; i < count; ++i) write(out + 2 * i, to_f16(from[i]));
}
void BF16::encode(const float* from, std::int64_t count, std::byte* out) {
  for (std::int64_t i = 0; i < count; ++i) write(out + 2 * i, float_to_bf16(from[i]));
}

}  // namespace nibble::ggml
