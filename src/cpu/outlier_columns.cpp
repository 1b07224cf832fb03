#include "cpu/outlier_columns.hpp"

#include <cstring>

#include "cpu/over_rows.hpp"
#include "ops/reference.hpp"

namespace nibble {
namespace {

std::int64_t padded(std::int64_t columns) { return (columns + 15) / 16 * 16; }

}  // namespace

Result<void> OutlierColumns::reserve(Allocator& memory, std::int64_t rows) {
  if (columns_ == 0) return {};
  const auto grow = [&](Buffer& buffer, std::int64_t count, std::size_t bytes) {
    return buffer.grow(memory, std::size_t(count) * bytes, Purpose::workspace);
  };
  NIBBLE_CHECK(grow(scales_, rows, sizeof(float)));
  NIBBLE_CHECK(grow(start_, rows * 16, sizeof(std::int32_t)));
  NIBBLE_CHECK(grow(flags_, rows * columns_, 1));
  NIBBLE_CHECK(grow(list_, padded(columns_), sizeof(std::int32_t)));
  // For a sixteenth of the columns in every row, and for every column of one row. Where there are more, fewer rows are
  // multiplied at once.
  return grow(outliers_, std::max(rows * padded(columns_ / 16 + 1), padded(columns_)), sizeof(float));
}

void OutlierColumns::find(TensorView x, float threshold, LinearCall& call) {
  auto* scales = scales_.as<float>();
  auto* flags = flags_.as<std::uint8_t>();
  auto* columns = list_.as<std::int32_t>();
  std::memset(flags, 0, std::size_t(x.rows * x.cols));
  over_rows(pool_, x.rows, x.cols,
            [&](std::int64_t r) { scales[r] = kernels_.scan_int8(x.row(r), x.cols, threshold, flags + r * x.cols); });
  for (std::int64_t r = 1; r < x.rows; ++r)
    for (std::int64_t i = 0; i < x.cols; ++i) flags[i] |= flags[r * x.cols + i];
  call.outliers = 0;
  for (std::int64_t i = 0; i < x.cols; ++i)
    if (flags[i]) columns[call.outliers++] = std::int32_t(i);
  call.outliers_padded = padded(call.outliers);
  std::fill(columns + call.outliers, columns + call.outliers_padded, 0);
  call.outlier_columns = columns;
}

std::int64_t OutlierColumns::rows_together(const LinearCall& call) const {
  const auto room = std::int64_t(outliers_.bytes() / sizeof(float));
  return call.outliers ? std::min(call.m, room / call.outliers_padded) : call.m;
}

void OutlierColumns::encode(TensorView x, std::int64_t first, std::int64_t count, DType rounding, std::byte* out,
                            LinearCall& call) {
  const auto* scales = scales_.as<float>() + first;
  auto* start = start_.as<std::int32_t>() + first * 16;
  auto* outliers = outliers_.as<float>();
  const auto* columns = call.outlier_columns;
  over_rows(pool_, count, x.cols, [&](std::int64_t r) {
    const float* row = x.row(first + r);
    kernels_.encode_int8(row, x.cols, call.chunks, scales[r], flags_.as<std::uint8_t>(),
                         reinterpret_cast<std::int8_t*>(out + r * call.x_stride), start + r * 16);
    float* values = outliers + r * call.outliers_padded;
    for (std::int64_t i = 0; i < call.outliers; ++i) values[i] = round_to(rounding, row[columns[i]]);
    std::fill(values + call.outliers, values + call.outliers_padded, 0.0f);
  });
  call.m = count;
  call.x = out;
  call.x_scales = scales;
  call.x_start = start;
  call.x_outliers = outliers;
}

}  // namespace nibble
