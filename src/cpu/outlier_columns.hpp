// Rows of x for LLM.int8: codes, and the columns that hold an outlier in any row, which are multiplied in floating
// point.
#pragma once

#include "base/thread_pool.hpp"
#include "cpu/kernels.hpp"
#include "tensor/allocator.hpp"
#include "tensor/view.hpp"

namespace nibble {

class OutlierColumns {
 public:
  OutlierColumns(const Kernels& kernels, ThreadPool& pool) : kernels_(kernels), pool_(pool) {}

  void expect(std::int64_t columns) { columns_ = std::max(columns_, columns); }
  // For so many rows of the widest x that is expected.
  Result<void> reserve(Allocator& memory, std::int64_t rows);

  // Finds the columns of all rows, for any number of products. The call learns which they are.
  void find(TensorView x, float threshold, LinearCall& call);
  // So many rows of x have room for their outliers at once.
  std::int64_t rows_together(const LinearCall& call) const;
  // Codes of `count` rows to `out`, `call.x_stride` apart. The call learns where they lie and what belongs to them.
  void encode(TensorView x, std::int64_t first, std::int64_t count, DType rounding, std::byte* out, LinearCall& call);

 private:
  const Kernels& kernels_;
  ThreadPool& pool_;
  std::int64_t columns_ = 0;
  Buffer scales_, start_, flags_, list_, outliers_;
};

}  // namespace nibble
