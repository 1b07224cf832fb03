// 4-bit codes to what they stand for: as fp32, and rounded to 16 bits.
#pragma once

#include <array>
#include <cstdint>

#include "formats/all.hpp"
#include "tensor/weight.hpp"

namespace nibble {

// An ElementReader (ops/quantization.hpp) of a weight in a table format. The weight's memory must outlive it.
class TableReader {
 public:
  explicit TableReader(const Weight& weight);

  void operator()(std::int64_t first, std::int64_t count, float* out) const;

  // Each value rounded to a format of 16 bits, to nearest, ties to even: the sixteen values of a block are rounded, and
  // its codes look them up. `first` begins a byte. False if there is a value that is not finite in that format.
  template <DenseFormat F>
  bool round(std::int64_t first, std::int64_t count, typename F::Code* out) const;

 private:
  Weight weight_;
  // The values of 16 codes, and the two values of each byte of codes: one look-up gives two.
  alignas(64) std::array<float, 16> of_code_{};
  std::array<std::array<float, 2>, 256> of_byte_{};
};

}  // namespace nibble
