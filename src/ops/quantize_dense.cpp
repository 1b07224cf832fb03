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
        for (std::int64_t i = 0; i < count; ++i) codes[first + i] = F::encode(x[i]);
        for (std::int64_t i = 0; i < count; ++i)
          if (!std::isfinite(F::value(codes[first + i]))) return bad.report(first + i);
      });
    }
  });
}

}  // namespace nibble
