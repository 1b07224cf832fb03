// The plain versions of every operation: slow, obvious, and the law against which fast code is tested.
#pragma once

#include <vector>

#include "ops/backend.hpp"

namespace nibble {

// The value of element i (row-major) of a weight, in fp32: table or code times scale, one rounding.
float decode_element(const Weight& weight, std::int64_t i);
// One element of a cache, whatever its type; `count` elements of one position rounded to it.
float cache_value(const CacheView& cache, DType dtype, std::int64_t head, std::int64_t position, std::int64_t i);
void store_cache(const CacheView& cache, DType dtype, std::int64_t head, std::int64_t position, const float* from,
                 std::int64_t count);
// A whole row as fp32. `table`: replaces the weight's own, if it has one; null keeps it.
void decode_row(const Weight& weight, std::int64_t row, float* out, const float* table = nullptr);
// The table of a weight, every value rounded to the compute type; empty if it has none.
std::vector<float> rounded_table(const Weight& weight, DType compute);

// What the activations of a product are rounded to. Those that meet ggml's blocks are not rounded to 16-bit floats;
// a backend may hold them in 16-bit integers unless fp32 is asked for (its test says how far that is from this).
DType activations_of(std::string_view format, const ComputeOptions& options);

// x rounded to a compute type and back.
float round_to(DType type, float x);

// A backend made of the plain versions, single-threaded, on host memory. Sums are accumulated in double and rounded
// once. memory: null for the host's.
std::unique_ptr<Backend> make_reference_backend(std::shared_ptr<Allocator> memory = {});

// LLM.int8() activations, exactly: x is first rounded to fp16. Codes get 0 where the column is an outlier column.
struct Int8Activations {
  std::span<std::int8_t> codes;     // (m, k)
  std::span<float> scales;          // row absmax over non-outlier elements, m values
  std::span<std::uint8_t> outlier;  // k flags: column holds an |x| >= threshold somewhere in the batch
};
void quantize_activations(TensorView x, float threshold, const Int8Activations& out);

}  // namespace nibble
