// The JSON that stands beside a 4-bit weight: what its tensors cannot say about themselves.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "nibble/precision.hpp"
#include "tensor/dtype.hpp"

namespace nibble {

struct BnbQuantState {
  struct Nested {
    int block = 256;
    double offset = 0;
  };
  std::string quant_type;  // "nf4": see table_format()
  int block_size = 64;
  DType dtype = DType::f32;
  std::int64_t rows = 0, cols = 0;
  std::optional<Nested> nested;
};

// What files call a table format: its name in bitsandbytes, else its own; and the format of such a name, null if there
// is none.
std::string_view quant_type_of(const FormatFacts& format);
const FormatFacts* table_format(std::string_view quant_type);

// The end of the name of the tensor that holds the JSON: ".quant_state.bitsandbytes__nf4", and "...nibble__" for a
// format that bitsandbytes lacks. bitsandbytes looks for its own alone, so it refuses the others.
std::string state_suffix(const FormatFacts& format);
inline constexpr std::string_view state_prefixes[] = {".quant_state.bitsandbytes__", ".quant_state.nibble__"};

// Any order of keys and any white space; an unknown key or value is refused by name.
Result<BnbQuantState> parse_quant_state(std::string_view json);
// Byte for byte as Python's json.dumps prints what bitsandbytes gives it.
std::string print_quant_state(const BnbQuantState& state);

}  // namespace nibble
