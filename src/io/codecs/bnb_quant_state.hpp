// The JSON that stands beside a 4-bit weight: what its tensors cannot say about themselves.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "tensor/dtype.hpp"

namespace nibble {

struct BnbQuantState {
  struct Nested {
    int block = 256;
    double offset = 0;
  };
  std::string quant_type;  // "nf4" or "fp4"
  int block_size = 64;
  DType dtype = DType::f32;
  std::int64_t rows = 0, cols = 0;
  std::optional<Nested> nested;
};

// Any order of keys and any white space; an unknown key or value is refused by name.
Result<BnbQuantState> parse_quant_state(std::string_view json);
// Byte for byte as Python's json.dumps prints what bitsandbytes gives it.
std::string print_quant_state(const BnbQuantState& state);

}  // namespace nibble
