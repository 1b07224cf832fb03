// One weight matrix in the canonical form: what a checkpoint says, with every fact in its own place, so that they
// compose. Codec readers produce it, backends prepare it for their kernels, codec writers store it. Nothing here owns
// memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nibble {

// Scales that are themselves quantized ("double quantization"): scale[b] = map[codes[b]] * absmax[b / block] + offset.
struct NestedScales {
  std::span<const std::uint8_t> codes;  // one per block of weights
  std::span<const float> absmax;        // one per `block` codes
  std::span<const float> map;           // 256 values; always the stored ones
  float offset = 0;
  int block = 256;

  bool empty() const { return codes.empty(); }
  float scale(std::int64_t index) const { return map[codes[index]] * absmax[index / block] + offset; }
};

// rows = output features, cols = input features, row-major. 4-bit codes: element 2b is the high nibble of byte b.
// Blocks run over the flattened matrix, so a block may straddle rows when cols is not a multiple of block_size.
struct Weight {
  std::string_view format;  // a name in formats/all.hpp
  std::int64_t rows = 0, cols = 0;
  const std::byte* codes = nullptr;
  std::size_t code_bytes = 0;
  int block_size = 0;             // weights per scale (table formats only)
  std::span<const float> scales;  // absmax per block or per row; empty if the format has none or `nested` holds them
  NestedScales nested;
  std::span<const float> table;  // 16 values of a table format; always the stored ones

  std::int64_t elements() const { return rows * cols; }
  // Bytes of the scales, plain or nested; bytes of all of it.
  std::uint64_t state_bytes() const {
    return nested.empty() ? scales.size_bytes() : nested.codes.size_bytes() + nested.absmax.size_bytes();
  }
  std::uint64_t bytes() const { return code_bytes + state_bytes(); }
  float scale(std::int64_t index) const { return nested.empty() ? scales[index] : nested.scale(index); }
};

}  // namespace nibble
