// Counts values against the ranges of 16-bit floats. The same sums for any number of threads: pieces are added in
// order.
#pragma once

#include <span>

#include "base/thread_pool.hpp"
#include "nibble/doctor.hpp"
#include "ops/quantization.hpp"

namespace nibble {

ValueRange range_of(std::span<const float> values);
// Of a tensor that is read piece by piece.
ValueRange range_of(const ElementReader& read, std::int64_t elements, ThreadPool& pool);

}  // namespace nibble
