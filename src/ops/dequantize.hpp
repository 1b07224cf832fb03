// What a weight in any format of the static list stands for, as fp32.
#pragma once

#include "ops/quantization.hpp"

namespace nibble {

// Reads a weight's values. The weight's memory must outlive the reader.
ElementReader reader_of(const Weight& weight);

}  // namespace nibble
