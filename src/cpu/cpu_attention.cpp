#include "cpu/cpu_attention.hpp"

#include "cpu/over_rows.hpp"
#include "ops/reference.hpp"

namespace nibble {

void append_to_caches(ThreadPool& pool, const AttentionBatch& batch, const AttentionShape& shape, TensorView k,
                      TensorView v) {
  for (std::int64_t s = 0; s < batch.sequences; ++s) {
    const CacheView *keys = batch.caches[s] + 2 * shape.layer, *values = keys + 1;
    const std::int64_t first = batch.first_row[s], dim = shape.head_dim;
    over_rows(pool, batch.first_row[s + 1] - first, k.cols, [&](std::int64_t t) {
      for (std::int64_t h = 0; h < shape.kv_heads; ++h) {
        store_cache(*keys, batch.cache_dtype, h, batch.past[s] + t, k.row(first + t) + h * dim, dim);
        store_cache(*values, batch.cache_dtype, h, batch.past[s] + t, v.row(first + t) + h * dim, dim);
      }
    });
  }
}

void attend(ThreadPool& pool, const Kernels& kernels, const AttentionBatch& batch, const AttentionShape& shape,
            TensorView q, TensorView out, std::span<Buffer> scratch) {
  constexpr std::int64_t queries = 16;
  const auto tiles_of = [&](std::int64_t s) {
    return (batch.first_row[s + 1] - batch.first_row[s] + queries - 1) / queries;
  };
  std::int64_t tiles = 0;
  for (std::int64_t s = 0; s < batch.sequences; ++s) tiles += tiles_of(s);
  pool.run(tiles * shape.heads, [&](std::int64_t piece, int thread) {
    std::int64_t tile = piece / shape.heads, s = 0;
    for (; tile >= tiles_of(s); ++s) tile -= tiles_of(s);
    // Late queries see most; they go first, so that threads end together.
    const std::int64_t first = (tiles_of(s) - 1 - tile) * queries, row = batch.first_row[s] + first,
                       head = piece % shape.heads;
    kernels.attention({.caches = batch.caches[s] + 2 * shape.layer,
                       .cache_dtype = batch.cache_dtype,
                       .shape = &shape,
                       .head = head,
                       .first = batch.past[s] + first,
                       .count = std::min(queries, batch.first_row[s + 1] - row),
                       .q = q.row(row) + head * shape.head_dim,
                       .out = out.row(row) + head * shape.head_dim,
                       .q_stride = q.stride,
                       .out_stride = out.stride},
                      scratch[std::size_t(thread)].as<float>());
  });
}

}  // namespace nibble
