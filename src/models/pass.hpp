// One pass: tokens of several sequences, put together on the host and described in the backend's memory.
#pragma once

#include <span>
#include <vector>

#include "models/kv_cache.hpp"

namespace nibble {

enum class LogitsOf { none, last, all };

// New tokens of one sequence.
struct Slice {
  KvCache* cache = nullptr;
  std::span<const std::int32_t> tokens;
  LogitsOf logits = LogitsOf::last;
};

// Consecutive tokens of one slice inside one pass.
struct Piece {
  std::size_t slice = 0;
  KvCache* cache = nullptr;
  std::int64_t first_token = 0;    // index inside the slice
  std::int64_t row = 0, rows = 0;  // rows of the activations
  LogitsOf logits = LogitsOf::none;
};

class Pass {
 public:
  Result<void> reserve(Allocator& memory, const PassShape& shape);

  void clear();
  // The next `count` tokens of a slice from `first` on. They must fit in what was reserved.
  void add(std::size_t index, const Slice& slice, std::int64_t first, std::int64_t count);
  // Tells the backend; from now on the views below are good.
  void upload(Backend& backend);
  // Its tokens are in the caches.
  void finish();

  std::int64_t tokens() const { return std::int64_t(host_ids_.size()); }
  std::span<const Piece> pieces() const { return pieces_; }
  std::span<const std::int32_t> ids() const { return {ids_.as<std::int32_t>(), host_ids_.size()}; }
  std::span<const std::int32_t> positions() const { return {positions_.as<std::int32_t>(), host_ids_.size()}; }
  AttentionBatch batch() const;

 private:
  std::vector<Piece> pieces_;
  std::vector<std::int32_t> host_ids_, host_positions_, host_first_row_, host_past_;
  std::vector<const CacheView*> host_caches_;
  Buffer ids_, positions_, first_row_, past_, caches_;
};

}  // namespace nibble
