#include "cpu/decode_row.hpp"

#include "formats/all.hpp"

namespace nibble {
namespace {

// Elements from `first` on of the weight.
template <class F>
void decode_elements(const Weight& w, std::int64_t first, const float* table, float* out) {
  if constexpr (BlockFormat<F>) {
    for (std::int64_t i = 0, at = first; i < w.cols; ++i, ++at)
      out[i] = F::value(w.codes + at / F::elements * F::bytes, int(at % F::elements));
  } else if constexpr (DenseFormat<F>) {
    widen<F>(w.codes + std::size_t(first) * sizeof(typename F::Code), w.cols, out);
  } else if constexpr (RowCodeFormat<F>) {
    const float scale = w.scale(first / w.cols);
    for (std::int64_t i = 0; i < w.cols; ++i) out[i] = float(std::int8_t(w.codes[first + i])) * scale * F::step;
  } else {
    for (std::int64_t at = first, end = first + w.cols; at < end;) {
      const std::int64_t block = at / w.block_size, stop = std::min(end, (block + 1) * w.block_size);
      const float scale = w.scale(block);
      for (; at < stop; ++at) {
        const auto byte = std::uint8_t(w.codes[at / 2]);
        out[at - first] = table[at % 2 ? byte & 15 : byte >> 4] * scale;
      }
    }
  }
}

}  // namespace

void decode_row_as_f32(const Weight& weight, std::int64_t row, const float* table, float* out) {
  const auto decode = [&]<class F>() { decode_elements<F>(weight, row * weight.cols, table, out); };
  if (!visit_format(weight.format, decode)) visit_format(weight.format, decode, BlockFormats{});
}

}  // namespace nibble
