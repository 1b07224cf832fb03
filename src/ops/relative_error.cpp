#include "ops/relative_error.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/widest.hpp"
#include "ops/quantize_pieces.hpp"

namespace nibble {
ErrorSums error_between(const ElementReader& original, const ElementReader& copy, std::int64_t elements,
                        ThreadPool& pool) {
  const std::int64_t pieces = (elements + piece_elements - 1) / piece_elements;
  std::vector<ErrorSums> sums(static_cast<std::size_t>(pieces));
  std::vector<std::vector<float>> scratch(std::size_t(pool.size()), std::vector<float>(2 * piece_elements));
  pool.run(pieces, [&](std::int64_t piece, int thread) {
    const std::int64_t first = piece * piece_elements, count = std::min(piece_elements, elements - first);
    float *x = scratch[std::size_t(thread)].data(), *y = x + piece_elements;
    original(first, count, x);
    copy(first, count, y);
    constexpr std::int64_t lanes = 8;
    const std::int64_t padded = (count + lanes - 1) / lanes * lanes;
    std::fill(x + count, x + padded, 0.0f);
    std::fill(y + count, y + padded, 0.0f);
    sums[std::size_t(piece)] = at_widest(
        [](const float* x, const float* y, std::int64_t count) NIBBLE_INLINE_LOOP {
          // Partial sums in a number of lanes that does not depend on the processor.
          double difference[lanes] = {}, original[lanes] = {};
          for (std::int64_t i = 0; i < count; i += lanes)
            for (std::int64_t lane = 0; lane < lanes; ++lane) {
              const double value = double(x[i + lane]), away = value - double(y[i + lane]);
              difference[lane] += away * away;
              original[lane] += value * value;
            }
          ErrorSums sum;
          for (std::int64_t lane = 0; lane < lanes; ++lane) sum.add({difference[lane], original[lane]});
          return sum;
        },
        x, y, padded);
  });
  ErrorSums all;
  for (const ErrorSums& sum : sums) all.add(sum);
  return all;
}

}  // namespace nibble
