// What an instruction set offers: the table of functions that every target fills by name and the backend calls.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/products.hpp"
#include "ops/backend.hpp"

namespace nibble {

// Queries of one head at consecutive positions of one sequence.
struct AttentionCall {
  const CacheView* caches = nullptr;  // keys, values
  DType cache_dtype = DType::f32;
  const AttentionShape* shape = nullptr;
  std::int64_t head = 0, first = 0, count = 0;  // positions from `first` on
  const float* q = nullptr;
  float* out = nullptr;
  std::int64_t q_stride = 0, out_stride = 0;
};

struct Kernels {
  std::string_view name;
  std::span<const Product> products;  // best first; the last takes every weight
  // int8, in two steps because outlier columns are a property of all rows: the largest |value| below the threshold (0:
  // no threshold) and flags of columns that reach it; then codes (flagged columns are 0) and the start values of the
  // sums.
  float (*scan_int8)(const float* x, std::int64_t k, float threshold, std::uint8_t* flags);
  void (*encode_int8)(const float* x, std::int64_t k, std::int64_t chunks, float absmax, const std::uint8_t* flags,
                      std::int8_t* codes, std::int32_t* start);
  void (*rms_norm)(const float* x, const float* gain, std::int64_t width, float eps, float* out);
  void (*silu_mul)(const float* gate, const float* up, std::int64_t count, float* out);
  void (*attention)(const AttentionCall& call, float* scratch);  // scratch: one float per visible position
};

// The kernels of a target by name, of the best one for an empty name; null: none runs here.
const Kernels* find_kernels(std::string_view target);

extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels avx512_vnni_bf16_kernels;

}  // namespace nibble
