// The dense formats and the element types that hold their codes: the one table.
#pragma once

#include "formats/dense.hpp"
#include "tensor/dtype.hpp"

namespace nibble {

struct DenseType {
  DType dtype;
  std::string_view format;
};
inline constexpr DenseType dense_types[] = {
    {DType::f32, Fp32::name}, {DType::f16, Fp16::name}, {DType::bf16, Bf16::name}};

// Empty: elements of this type are no codes of a dense format.
constexpr std::string_view dense_format(DType dtype) {
  for (const DenseType& type : dense_types)
    if (type.dtype == dtype) return type.format;
  return {};
}

// Nullopt: the format is not dense.
constexpr std::optional<DType> dense_dtype(std::string_view format) {
  for (const DenseType& type : dense_types)
    if (type.format == format) return type.dtype;
  return std::nullopt;
}

}  // namespace nibble
