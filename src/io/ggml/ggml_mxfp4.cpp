// MXFP4 of the Open Compute Project's microscaling formats: 32 four-bit floats e2m1 share a power of two.
#include "io/ggml/ggml_blocks.hpp"
#include "io/ggml/ggml_tables.hpp"

namespace nibble::ggml {

void MXFP4::decode(const std::byte* from, std::int64_t count, float* out) {
  decode_each<MXFP4>(from, count, out, [](const std::byte* block, float* values) {
    // Half of 2^(exponent - 127), because the table holds twice the values. The two smallest are denormal.
    const auto exponent = std::uint32_t(block[0]);
    const float scale = std::bit_cast<float>(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23);
    for (int i = 0; i < 16; ++i) {
      const int byte = int(block[1 + i]);
      values[i] = float(mxfp4_values[std::size_t(byte & 15)]) * scale;
      values[i + 16] = float(mxfp4_values[std::size_t(byte >> 4)]) * scale;
    }
  });
}

}  // namespace nibble::ggml
