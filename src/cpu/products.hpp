// Ways to multiply rows of activations with a weight. A target lists those that it has, best first; the first one that
// fits a weight is taken, once, when the weight is prepared. The last of a list takes every weight.
//
// One order of sums for everything. The sum over k is cut into chunks of 64 (groups of 256 for four-bit codes with bf16
// products, and for ggml's blocks of 256); each lane of a vector sums its own elements over all of them, and the lanes
// are added in one fixed tree at the end. A single row (generation) and a tile of rows (prefill) do exactly that, so a
// row's result depends neither on how many rows are computed beside it nor on threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ops/product_choice.hpp"
#include "ops/quantization.hpp"
#include "tensor/dtype.hpp"
#include "tensor/weight.hpp"

namespace nibble {

inline constexpr std::int64_t chunk = 64;       // elements of k that are handled together
inline constexpr std::int64_t panel_rows = 16;  // weight rows that are expanded together into a thread's scratch

// How rows of x lie for a product: zero-padded to whole chunks, or to whole groups of them.
struct Layout {
  std::string_view name;
  std::int64_t (*row_bytes)(std::int64_t chunks);
  // One row of x, rounded to `rounding`. Null: int8, where a column's outliers are looked for in all rows first
  // (cpu/outlier_columns.hpp).
  void (*arrange)(const float* x, std::int64_t k, std::int64_t chunks, DType rounding, std::byte* out) = nullptr;
};

struct LinearCall {
  const Weight* weight = nullptr;
  const float* table = nullptr;                  // 16 values rounded to the compute type
  const ElementReader* read = nullptr;           // the weight's elements with those values
  const std::byte* x = nullptr;                  // m rows in the product's layout
  std::int64_t x_stride = 0, m = 0, chunks = 0;  // stride in bytes
  // int8: scale of each row, 16 start values per row, and the columns that are multiplied in floating point
  const float* x_scales = nullptr;
  const std::int32_t* x_start = nullptr;
  const float* x_outliers = nullptr;              // m rows of `outliers_padded`
  const std::int32_t* outlier_columns = nullptr;  // `outliers_padded`, of which the last are 0
  std::int64_t outliers = 0, outliers_padded = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;  // in floats
  const float* bias = nullptr;
  bool add = false;
};

// What the choice of a product may depend on. It holds no byte of the weight.
struct WeightFacts {
  std::string_view format;  // a name in formats/all.hpp
  std::int64_t rows = 0, cols = 0;
  int block_size = 0;  // weights per scale, of table formats
  DType compute = DType::f32;
};

// Whether a product takes a weight; if not, why, in words for people.
struct Verdict {
  std::string_view why_not = {};
  bool fits() const { return why_not.empty(); }
};

// How a product goes about `from_rows` rows of x and more: the same sums in the same order, faster for so many.
struct Schedule {
  std::int64_t from_rows = 1;
  std::string_view how;
  // Weight rows [first_row, first_row + rows).
  void (*run)(const LinearCall& call, std::int64_t first_row, std::int64_t rows, std::byte* scratch) = nullptr;
};

struct Product {
  std::string_view name;
  const Layout* layout = nullptr;
  Instruction instruction = Instruction::fp32_fma;
  Verdict (*fits)(const WeightFacts& weight) = nullptr;
  Schedule schedules[2] = {};  // the second may be absent

  const Schedule& schedule_for(std::int64_t rows) const {
    return schedules[schedules[1].run && rows >= schedules[1].from_rows ? 1 : 0];
  }
};

const Product& choose_product(std::span<const Product> products, const WeightFacts& weight);
// The products up to the one that is taken, in the order of the list.
std::vector<ProductChoice> explain_products(std::span<const Product> products, const WeightFacts& weight,
                                            std::int64_t rows);

// What several products ask of a weight.
Verdict fits_codes_of_a_table(const WeightFacts& weight);
Verdict fits_whole_chunks(const WeightFacts& weight);

// A thread's scratch: sums of a block of x rows, scales of a panel, a panel as fp32, and a panel packed.
inline constexpr std::int64_t packed_block = 96;  // rows of x that meet a panel together
inline constexpr std::int64_t packed_sums_bytes = packed_block * 4 * 64;
constexpr std::int64_t table_scales_bytes(std::int64_t k) { return 2 * panel_rows * (k / 32) * 4 + 256; }
// Bytes of it that a product needs for k columns.
std::int64_t linear_scratch_bytes(std::int64_t k);

}  // namespace nibble
