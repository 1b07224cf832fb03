// Element types that files store and views point to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nibble {

// Floats of eight bits and unsigned integers beyond bytes are known by their size alone: files that hold them can be
// inspected, not computed with.
enum class DType : std::uint8_t {
  f64,
  f32,
  f16,
  bf16,
  i64,
  i32,
  i16,
  i8,
  u8,
  boolean,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  u64,
  u32,
  u16
};

struct DTypeFacts {
  DType type;
  std::string_view name;  // as safetensors spells it
  std::size_t bytes;
};
// From narrow to wide, in the order in which safetensors lists its types.
inline constexpr std::array<DTypeFacts, 16> dtypes = {{{DType::boolean, "BOOL", 1},
                                                       {DType::u8, "U8", 1},
                                                       {DType::i8, "I8", 1},
                                                       {DType::f8_e5m2, "F8_E5M2", 1},
                                                       {DType::f8_e4m3, "F8_E4M3", 1},
                                                       {DType::f8_e8m0, "F8_E8M0", 1},
                                                       {DType::i16, "I16", 2},
                                                       {DType::u16, "U16", 2},
                                                       {DType::f16, "F16", 2},
                                                       {DType::bf16, "BF16", 2},
                                                       {DType::i32, "I32", 4},
                                                       {DType::u32, "U32", 4},
                                                       {DType::f32, "F32", 4},
                                                       {DType::f64, "F64", 8},
                                                       {DType::i64, "I64", 8},
                                                       {DType::u64, "U64", 8}}};

constexpr int place_among_dtypes(DType type) {
  for (std::size_t i = 0; i < dtypes.size(); ++i)
    if (dtypes[i].type == type) return int(i);
  return 0;
}
constexpr std::size_t size_of(DType type) { return dtypes[std::size_t(place_among_dtypes(type))].bytes; }
constexpr std::string_view name_of(DType type) { return dtypes[std::size_t(place_among_dtypes(type))].name; }
constexpr std::optional<DType> dtype_named(std::string_view name) {
  for (const DTypeFacts& facts : dtypes)
    if (facts.name == name) return facts.type;
  return std::nullopt;
}

}  // namespace nibble
