// Weights to codes and scales, the one rule for every device: whatever quantizes a weight must give these bytes.
//
//   nf4, int8  byte for byte what bitsandbytes 0.50 computes on a CPU
//   fp4        the rule of bitsandbytes' CUDA kernel (its CPU code decides differently near zero and at ties)
//   nested     the nearest code of the dynamic map, a tie to the even one (bitsandbytes' CPU code
//              looks codes up in 65536 bins, too coarse near zero)
//   dense      one rounding to nearest, ties to even
//
// The source is read in pieces through a function, so a tensor of any size and stored type needs only a small scratch.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/thread_pool.hpp"
#include "tensor/allocator.hpp"
#include "tensor/weight.hpp"

namespace nibble {

struct QuantizeOptions {
  std::string_view format;    // a name in formats/all.hpp
  int block_size = 64;        // table formats: weights per scale, a power of two from 32 to 4096
  bool double_quant = false;  // table formats: store the scales in 8 bits, in blocks of 256 with one fp32 scale each
};

// Elements [first, first + count) of the flattened source as fp32. Called from several threads at once.
using ElementReader = std::function<void(std::int64_t first, std::int64_t count, float* out)>;

// A weight and the memory that its views point into. Move-only; moving keeps the views good.
struct QuantizedWeight {
  Weight weight;
  Buffer codes, scales, nested_codes, nested_absmax;
  Allocator* allocator = nullptr;  // scratch of quantize() is taken here; must outlive this object
};

// Takes the memory, writes nothing. Through a CountingAllocator the sizes are right and the pointers null.
// Errors: unknown format, block size, negative or overflowing shape, memory.
Result<QuantizedWeight> allocate_quantized(Allocator& allocator, const QuantizeOptions& options, std::int64_t rows,
                                           std::int64_t cols, Purpose codes_purpose, Purpose scales_purpose);

// Fills `out`, which came from allocate_quantized. The same bytes for any number of threads. A weight that is NaN or
// infinite, or too large for the format's 16 bits, is an error with its row, column and value; the caller adds the
// name.
Result<void> quantize(const ElementReader& read, QuantizedWeight& out, ThreadPool& pool);

// Takes and gives back what quantize() with so many threads would take, and quantizes nothing: its rehearsal.
Result<void> rehearse_quantize(const QuantizedWeight& out, int threads);

// The mean of block scales, in the order in which PyTorch sums with 8 lanes (AVX2): the offset of nested scales.
float mean_of_scales(const float* scales, std::int64_t count);

}  // namespace nibble
