#include "ops/dequantize.hpp"

#include <algorithm>

#include "base/widest.hpp"
#include "formats/all.hpp"
#include "ops/dequantize_table.hpp"

namespace nibble {
namespace {

template <RowCodeFormat F>
void read_rows(const Weight& weight, std::int64_t first, std::int64_t count, float* out) {
  const auto* codes = reinterpret_cast<const std::int8_t*>(weight.codes);
  for (const std::int64_t end = first + count; first < end;) {
    const std::int64_t row = first / weight.cols, here = std::min(end, (row + 1) * weight.cols) - first;
    const float scale = weight.scale(row);
    at_widest(
        [](const std::int8_t* codes, std::int64_t count, float scale, float* out) NIBBLE_INLINE_LOOP {
          for (std::int64_t i = 0; i < count; ++i) out[i] = float(codes[i]) * scale * F::step;
        },
        codes + first, here, scale, out);
    first += here;
    out += here;
  }
}

}  // namespace

ElementReader reader_of(const Weight& weight) {
  ElementReader reader;
  visit_format(weight.format, [&]<class F>() {
    if constexpr (DenseFormat<F>)
      reader = [=](std::int64_t first, std::int64_t count, float* out) {
        widen<F>(weight.codes + std::size_t(first) * sizeof(typename F::Code), count, out);
      };
    else if constexpr (RowCodeFormat<F>)
      reader = [=](std::int64_t first, std::int64_t count, float* out) { read_rows<F>(weight, first, count, out); };
    else if constexpr (TableFormat<F>)
      reader = TableReader(weight);
  });
  const auto blocks = [&]<class F>() {
    reader = [=](std::int64_t first, std::int64_t count, float* out) {
      for (std::int64_t i = first; i < first + count; ++i)
        out[i - first] = F::value(weight.codes + i / F::elements * F::bytes, int(i % F::elements));
    };
  };
  visit_format(weight.format, blocks, BlockFormats{});
  NIBBLE_ASSERT(reader, "a weight is in one of the formats that are listed");
  return reader;
}

}  // namespace nibble
