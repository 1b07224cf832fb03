// Products of a group of weights that read the same x: it is arranged once, and the threads are handed the panels of
// all weights together.
#pragma once

#include <array>

#include "cpu/outlier_columns.hpp"

namespace nibble {

// Computes on the canonical bytes where they lie, by the product that was chosen for them.
struct CpuWeight final : PreparedWeight {
  CpuWeight(const Weight& weight, const ComputeOptions& options, std::span<const Product> products);
  const Weight& canonical() const override { return weight; }

  Weight weight;
  ComputeOptions options;
  WeightFacts facts;
  const Product& product;
  DType rounding;                 // of activations
  std::array<float, 16> table{};  // of a table format, rounded to the compute type
  ElementReader read;             // of the product that decodes any weight, else empty
};

class CpuLinear {
 public:
  CpuLinear(const Kernels& kernels, ThreadPool& pool) : pool_(pool), outlier_columns_(kernels, pool) {}

  // What this weight will need; reserve() takes it for so many rows of x.
  void expect(const CpuWeight& weight);
  std::int64_t scratch_bytes() const { return scratch_bytes_; }  // per thread, given to run()
  Result<void> reserve(Allocator& memory, std::int64_t rows);

  void run(std::span<const LinearTask> group, TensorView x, bool add, std::span<Buffer> scratch);
  // int8: of the columns of all products so far.
  double outlier_share() const { return columns_ ? double(outliers_) / double(columns_) : 0; }

 private:
  void run_alike(std::span<const LinearTask> group, TensorView x, bool add, std::span<Buffer> scratch);
  void multiply(std::span<const LinearTask> group, const LinearCall& shared, std::int64_t first_x,
                std::span<Buffer> scratch);

  ThreadPool& pool_;
  OutlierColumns outlier_columns_;
  std::int64_t row_bytes_ = 0, scratch_bytes_ = 0;
  Buffer x_;  // arranged
  std::int64_t outliers_ = 0, columns_ = 0;
};

}  // namespace nibble
