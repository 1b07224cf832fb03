// Codes -1, 0, 1: five to a byte as a fraction in base 3 (tq1_0), or four to a byte (tq2_0); one fp16 scale last.
#include "io/ggml/ggml_blocks.hpp"

namespace nibble::ggml {
namespace {

// A byte b stands for b/256 = 0.d1d2d3d4d5 in base 3: digit n is the whole part of 3 * frac(3^n * b/256).
// `width` bytes hold digits for `digits` runs of `width` elements.
float* decode_digits(const std::byte* bytes, int width, int digits, float scale, float* out) {
  for (int n = 0, power = 1; n < digits; ++n, power *= 3)
    for (int i = 0; i < width; ++i) {
      const int fraction = (int(bytes[i]) * power) & 255;
      *out++ = float((fraction * 3 >> 8) - 1) * scale;
    }
  return out;
}

}  // namespace

void TQ1_0::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<TQ1_0>(from, count, out, [](const std::byte* block, float* values) {
    const float scale = read_f16(block + 52);
    values = decode_digits(block, 32, 5, scale, values);
    values = decode_digits(block + 32, 16, 5, scale, values);
    decode_digits(block + 48, 4, 4, scale, values);
  });
}

void TQ2_0::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<TQ2_0>(from, count, out, [](const std::byte* block, float* values) {
    const float scale = read_f16(block + 64);
    for (int run = 0; run < 8; ++run)
      for (int i = 0; i < 32; ++i) *values++ = float((int(block[32 * (run / 4) + i]) >> 2 * (run % 4) & 3) - 1) * scale;
  });
}

}  // namespace nibble::ggml
