#include "ops/relative_error.hpp"

#include <cstring>

#include "formats/all.hpp"
#include "ops/quantize_pieces.hpp"

namespace nibble {
namespace {

template <class F>
void read_elements(const Weight& weight, std::int64_t first, std::int64_t count, float* out) {
  if constexpr (DenseFormat<F>) {
    for (std::int64_t i = 0; i < count; ++i) {
      typename F::Code code;
      std::memcpy(&code, weight.codes + std::size_t(first + i) * sizeof code, sizeof code);
      out[i] = F::value(code);
    }
  } else if constexpr (RowCodeFormat<F>) {
    for (std::int64_t i = 0; i < count; ++i)
      out[i] = float(std::int8_t(weight.codes[first + i])) * weight.scale((first + i) / weight.cols) * F::step;
  } else {
    for (std::int64_t i = 0; i < count;) {
      const std::int64_t block = (first + i) / weight.block_size,
                         end = std::min(count, (block + 1) * weight.block_size - first);
      const float scale = weight.scale(block);
      for (; i < end; ++i) {
        const auto byte = std::uint8_t(weight.codes[(first + i) / 2]);
        out[i] = weight.table[(first + i) % 2 ? byte & 15 : byte >> 4] * scale;
      }
    }
  }
}

}  // namespace

ErrorSums error_between(const ElementReader& original, const ElementReader& copy, std::int64_t elements,
                        ThreadPool& pool) {
  const std::int64_t pieces = (elements + piece_elements - 1) / piece_elements;
  std::vector<ErrorSums> sums(static_cast<std::size_t>(pieces));
  std::vector<std::vector<float>> scratch(std::size_t(pool.size()), std::vector<float>(2 * piece_elements));
  pool.run(pieces, [&](std::int64_t piece, int thread) {
    const std::int64_t first = piece * piece_elements, count = std::min(piece_elements, elements - first);
    float *x = scratch[std::size_t(thread)].data(), *y = x + piece_elements;
    original(first, count, x), copy(first, count, y);
    ErrorSums& sum = sums[std::size_t(piece)];
    for (std::int64_t i = 0; i < count; ++i) {
      const double difference = double(x[i]) - double(y[i]);
      sum.difference += difference * difference, sum.original += double(x[i]) * double(x[i]);
    }
  });
  ErrorSums all;
  for (const ErrorSums& sum : sums) all.add(sum);
  return all;
}

ElementReader reader_of(const Weight& weight) {
  ElementReader reader;
  visit_format(weight.format, [&]<class F>() {
    reader = [weight](std::int64_t first, std::int64_t count, float* out) {
      read_elements<F>(weight, first, count, out);
    };
  });
  return reader;
}

}  // namespace nibble
