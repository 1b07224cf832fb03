#include "models/pass.hpp"

#include <algorithm>

namespace nibble {

Result<void> Pass::reserve(Allocator& memory, const PassShape& shape) {
  const auto grow = [&](Buffer& buffer, std::int64_t count, std::size_t size) {
    return buffer.grow(memory, std::size_t(count) * size, Purpose::activations);
  };
  NIBBLE_CHECK(grow(ids_, shape.tokens, sizeof(std::int32_t)));
  NIBBLE_CHECK(grow(positions_, shape.tokens, sizeof(std::int32_t)));
  NIBBLE_CHECK(grow(first_row_, shape.sequences + 1, sizeof(std::int32_t)));
  NIBBLE_CHECK(grow(past_, shape.sequences, sizeof(std::int32_t)));
  return grow(caches_, shape.sequences, sizeof(const CacheView*));
}

void Pass::clear() {
  pieces_.clear();
  host_ids_.clear();
  host_positions_.clear();
  host_first_row_.assign(1, 0);
  host_past_.clear();
  host_caches_.clear();
}

void Pass::add(std::size_t index, const Slice& slice, std::int64_t first, std::int64_t count) {
  const bool ends = first + count == std::int64_t(slice.tokens.size());
  const LogitsOf logits = slice.logits == LogitsOf::last && !ends ? LogitsOf::none : slice.logits;
  const std::int64_t past = slice.cache->length();
  NIBBLE_ASSERT(pieces_.empty() || pieces_.front().cache->dtype() == slice.cache->dtype(),
                "the caches of one pass have one type");
  pieces_.push_back({index, slice.cache, first, tokens(), count, logits});
  for (std::int64_t i = 0; i < count; ++i) {
    host_ids_.push_back(slice.tokens[std::size_t(first + i)]);
    host_positions_.push_back(std::int32_t(past + i));
  }
  host_first_row_.push_back(std::int32_t(tokens()));
  host_past_.push_back(std::int32_t(past));
  host_caches_.push_back(slice.cache->views());
}

void Pass::upload(Backend& backend) {
  const auto send = [&](const auto& host, const Buffer& buffer) {
    backend.upload(host.data(), buffer.data(), host.size() * sizeof(host[0]));
  };
  send(host_ids_, ids_);
  send(host_positions_, positions_);
  send(host_first_row_, first_row_);
  send(host_past_, past_);
  send(host_caches_, caches_);
}

void Pass::finish() {
  for (const Piece& piece : pieces_) piece.cache->extend(piece.rows);
}

AttentionBatch Pass::batch() const {
  AttentionBatch batch;
  batch.sequences = std::int64_t(pieces_.size());
  batch.tokens = tokens();
  for (const Piece& piece : pieces_) batch.positions = std::max(batch.positions, piece.cache->length() + piece.rows);
  batch.cache_dtype = pieces_.front().cache->dtype();
  batch.first_row = first_row_.as<std::int32_t>();
  batch.past = past_.as<std::int32_t>();
  batch.caches = caches_.as<const CacheView*>();
  return batch;
}

}  // namespace nibble
