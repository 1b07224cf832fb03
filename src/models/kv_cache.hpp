// Keys and values that one sequence has left behind.
#pragma once

#include <vector>

#include "models/config.hpp"
#include "ops/backend.hpp"

namespace nibble {

class KvCache {
 public:
  // In the backend's memory, which must outlive it.
  static Result<KvCache> create(const ModelConfig& config, Backend& backend, DType dtype, std::int64_t capacity);
  std::int64_t length() const { return length_; }
  std::int64_t capacity() const { return capacity_; }
  DType dtype() const { return dtype_; }
  // Forgets everything from `length` on.
  void truncate(std::int64_t length) { length_ = length; }
  // So many positions more are filled: a pass has computed them.
  void extend(std::int64_t positions) { length_ += positions; }
  // Keys, then values, of each layer; in the backend's memory (ops/backend.hpp, AttentionBatch).
  const CacheView* views() const { return views_.as<CacheView>(); }
  static std::uint64_t bytes(const ModelConfig& config, DType dtype, std::int64_t capacity);

 private:
  std::vector<Buffer> buffers_;
  Buffer views_;
  DType dtype_ = DType::f32;
  std::int64_t capacity_ = 0, length_ = 0;
};

}  // namespace nibble
