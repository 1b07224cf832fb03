#include "models/kv_cache.hpp"

namespace nibble {

std::uint64_t KvCache::bytes(const ModelConfig& config, DType dtype, std::int64_t capacity) {
  return std::uint64_t(2 * config.layers * config.kv_heads * config.head_dim) * std::uint64_t(capacity) *
         size_of(dtype);
}

Result<KvCache> KvCache::create(const ModelConfig& config, Backend& backend, DType dtype, std::int64_t capacity) {
  KvCache cache;
  cache.dtype_ = dtype;
  cache.capacity_ = capacity;
  Allocator& memory = backend.memory();
  // (kv_heads, capacity, head_dim): the positions of a head follow one another.
  const std::size_t bytes = std::size_t(config.kv_heads * config.head_dim * capacity) * size_of(dtype);
  std::vector<CacheView> views;
  for (std::int64_t i = 0; i < 2 * config.layers; ++i) {
    NIBBLE_TRY(Buffer buffer, Buffer::take(memory, bytes, Purpose::kv_cache));
    views.push_back({buffer.data(), capacity * config.head_dim, config.head_dim});
    cache.buffers_.push_back(std::move(buffer));
  }
  const std::size_t table = views.size() * sizeof(CacheView);
  NIBBLE_TRY(cache.views_, Buffer::take(memory, table, Purpose::activations));
  if (!memory.counts_only()) backend.upload(views.data(), cache.views_.data(), table);
  return cache;
}

}  // namespace nibble
