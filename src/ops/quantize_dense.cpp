// Formats without scales: every weight is rounded once, to nearest, ties to even.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/all.hpp"
#include "ops/quantize_pieces.hpp"

namespace nibble {

void quantize_dense(const ElementReader& read, QuantizedWeight& out, ThreadPool& pool, float* scratch,
                    FirstBadWeight& bad) {
  const std::int64_t elements = out.weight.elements(), stride = scratch_elements(out.weight);
  visit_format(out.weight.format, [&]<class F>() {
    if constexpr (DenseFormat<F>) {
      auto* codes = out.codes.as<typename F::Code>();
      pool.run((elements + piece_elements - 1) / piece_elements, [&](std::int64_t piece, int thread) {
        const std::int64_t first = piece * piece_elements, count = std::min(piece_elements, elements - first);
        float* x = scratch + thread * stride;
        read(first, count, x);
        const std::int32_t largest = at_widest(
            [](const float* x, std::int64_t count, typename F::Code* codes) NIBBLE_INLINE_LOOP {
              std::int32_t largest = 0;
              for (std::int64_t i = 0; i < count; ++i) {
                codes[i] = F::encode(x[i]);
                largest = std::max(largest, magnitude_bits(F::value(codes[i])));
              }
              return largest;
            },
            x, count, codes + first);
        if (largest < infinity_bits) return;
        std::int64_t i = first;
        while (std::isfinite(F::value(codes[i]))) ++i;
        bad.report(i);
      });
    }
  });
}

}  // namespace nibble
