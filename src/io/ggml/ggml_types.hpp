// ggml's tensor types: geometry of all, fp32 values of their blocks, and the blocks that Nibble can write.
// Sources: ggml-common.h, ggml-quants.c; the gguf Python package. One screen about them: docs/formats/ggml-types.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nibble {

// A row is a whole number of blocks: whoever has a row of `cols` elements checks cols % block_elements == 0 and says so
// before calling decode or encode, which take `count` elements, a multiple of block_elements, and check nothing.
// Blocks need no alignment. Both functions are thread-safe.
struct GgmlType {
  std::uint32_t number;   // as in a GGUF file
  std::string_view name;  // "Q4_1"
  std::uint32_t block_elements, block_bytes;

  // Values bit for bit those of ggml's own dequantizers (a NaN stays some NaN). Null: Q8_1, which no file holds.
  void (*decode)(const std::byte* blocks, std::int64_t count, float* out);

  // Bytes are those of ggml_quantize_chunk without an importance matrix, compiled without contraction of multiply-add.
  // Null: this type is only read. Values should be finite; NaN and infinity give some bytes, the same ones every time.
  void (*encode)(const float* values, std::int64_t count, std::byte* blocks);
};

const GgmlType* ggml_type(std::uint32_t number);   // null: unknown
const GgmlType* ggml_type(std::string_view name);  // upper case, as in GgmlType::name; null: unknown

}  // namespace nibble
