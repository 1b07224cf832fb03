// Rows of a weight as fp32, to the bit what decode_element() in ops/reference.hpp gives, with the format asked for once
// per row instead of once per element.
#pragma once

#include "tensor/weight.hpp"

namespace nibble {

// `table` holds the 16 values of a table format: the weight's own, or other ones in their place.
void decode_row_as_f32(const Weight& weight, std::int64_t row, const float* table, float* out);

}  // namespace nibble
