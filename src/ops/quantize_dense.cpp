// Formats without scales: every weight is rounded once, to nearest, ties to even.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "formats/all.hpp"
#include "ops/dequantize_table.hpp"
#include "ops/quantize_pieces.hpp"

namespace nibble {

void quantize_dense(const ElementReader& read, QuantizedWeight& out, ThreadPool& pool, float* scratch,
                    FirstBadWeight& bad) {
  const std::int64_t elements = out.weight.elements(), stride = scratch_elements(out.weight);
  visit_format(out.weight.format, [&]<class F>() {
    if constexpr (DenseFormat<F>) {
      using Code = typename F::Code;
      auto* codes = out.codes.as<Code>();
      const auto round = [&](std::int64_t first, std::int64_t count, float* x) {  // false: not all of it is finite
        if constexpr (F::bits == 16)
          if (const auto* table = read.target<TableReader>()) return table->round<F>(first, count, codes + first);
        read(first, count, x);
        const Code largest = at_widest(
            [](const float* x, std::int64_t count, Code* codes) NIBBLE_INLINE_LOOP {
              constexpr Code magnitude = Code(-1) >> 1;  // bits that are ordered as magnitudes are, NaN above infinity
              Code largest = 0;
              for (std::int64_t i = 0; i < count; ++i) {
                codes[i] = F::encode(x[i]);
                largest = std::max<Code>(largest, codes[i] & magnitude);
              }
              return largest;
            },
            x, count, codes + first);
        return largest < F::encode(std::numeric_limits<float>::infinity());
      };
      pool.run((elements + piece_elements - 1) / piece_elements, [&](std::int64_t piece, int thread) {
        const std::int64_t first = piece * piece_elements, count = std::min(piece_elements, elements - first);
        if (round(first, count, scratch + thread * stride)) return;
        std::int64_t i = first;
        while (std::isfinite(F::value(codes[i]))) ++i;
        bad.report(i);
      });
    }
  });
}

}  // namespace nibble
