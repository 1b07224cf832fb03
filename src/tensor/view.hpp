// Views look, they never own. A view of device memory is passed around by code that cannot read it.
#pragma once

#include <cstdint>

#include "tensor/dtype.hpp"

namespace nibble {

// A matrix of activations: rows x cols elements of one type, `stride` elements from row to row.
struct TensorView {
  void* data = nullptr;
  DType dtype = DType::f32;
  std::int64_t rows = 0, cols = 0, stride = 0;

  TensorView() = default;
  TensorView(void* data, DType dtype, std::int64_t rows, std::int64_t cols)
      : data(data), dtype(dtype), rows(rows), cols(cols), stride(cols) {}

  template <class T = float>
  T* row(std::int64_t r) const {
    return static_cast<T*>(data) + r * stride;
  }
  TensorView rows_from(std::int64_t first, std::int64_t count) const {
    TensorView view = *this;
    view.data = static_cast<char*>(data) + first * stride * std::int64_t(size_of(dtype));
    view.rows = count;
    return view;
  }
  TensorView columns_from(std::int64_t first, std::int64_t count) const {
    TensorView view = *this;
    view.data = static_cast<char*>(data) + first * std::int64_t(size_of(dtype));
    view.cols = count;
    return view;
  }
};

}  // namespace nibble
