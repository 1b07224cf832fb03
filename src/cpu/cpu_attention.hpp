// Attention over threads, a few queries of one head at a time.
#pragma once

#include "base/thread_pool.hpp"
#include "cpu/kernels.hpp"
#include "tensor/allocator.hpp"

namespace nibble {

// What attend() wants of each thread's scratch, for sequences of up to so many positions.
constexpr std::int64_t attention_scratch_bytes(std::int64_t positions) {
  return positions > 0 ? (positions + 16) * std::int64_t(sizeof(float)) : 0;
}

void append_to_caches(ThreadPool& pool, const AttentionBatch& batch, const AttentionShape& shape, TensorView k,
                      TensorView v);
void attend(ThreadPool& pool, const Kernels& kernels, const AttentionBatch& batch, const AttentionShape& shape,
            TensorView q, TensorView out, std::span<Buffer> scratch);

}  // namespace nibble
