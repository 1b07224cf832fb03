// How far a copy of a tensor is from what it was made of.
#pragma once

#include <cmath>

#include "ops/quantization.hpp"

namespace nibble {

struct ErrorSums {
  double difference = 0, original = 0;  // sums of squares

  void add(const ErrorSums& other) {
    difference += other.difference;
    original += other.original;
  }
  // Root mean square of the difference over that of the original; 0 for a tensor of zeros that stayed so.
  double relative() const { return difference == 0 ? 0 : std::sqrt(difference / original); }
};

// Elements [0, elements) read both ways. The same bits for any number of threads.
ErrorSums error_between(const ElementReader& original, const ElementReader& copy, std::int64_t elements,
                        ThreadPool& pool);

}  // namespace nibble
