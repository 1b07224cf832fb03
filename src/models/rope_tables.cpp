#include "models/rope_tables.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace nibble {

Result<void> RopeTables::reserve(const ModelConfig& config, Backend& backend, std::int64_t positions) {
  if (positions <= table_.positions) return {};
  // Doubled from 2048 on, so that a text which grows token by token makes few tables, and the same ones as a long text.
  const auto doubled = std::int64_t(std::bit_ceil(std::uint64_t(std::max<std::int64_t>(positions, 2048))));
  positions = std::max(positions, std::min(doubled, config.max_positions));
  const std::int64_t half = config.head_dim / 2;
  const std::size_t bytes = std::size_t(positions * half) * sizeof(float);
  table_ = {};
  NIBBLE_CHECK(cos_.grow(backend.memory(), bytes, Purpose::buffers));
  NIBBLE_CHECK(sin_.grow(backend.memory(), bytes, Purpose::buffers));
  table_ = {cos_.as<float>(), sin_.as<float>(), positions, half};
  if (backend.memory().counts_only()) return {};
  if (backend.shares_host_memory()) {
    fill(config, cos_.as<float>(), sin_.as<float>());
    return {};
  }
  std::vector<float> staged(std::size_t(2 * positions * half));
  float *cos = staged.data(), *sin = cos + positions * half;
  fill(config, cos, sin);
  backend.upload(cos, cos_.data(), bytes);
  backend.upload(sin, sin_.data(), bytes);
  return {};
}

void RopeTables::fill(const ModelConfig& config, float* cos, float* sin) const {
  const RopeFrequencies rope = rope_frequencies(config);
  for (std::int64_t position = 0; position < table_.positions; ++position)
    for (std::int64_t i = 0; i < table_.half; ++i) {
      const double divisor = divisors_.empty() ? 1.0 : divisors_[std::size_t(i)];
      const double angle = double(position) * (rope.frequencies[std::size_t(i)] / divisor);
      cos[position * table_.half + i] = float(std::cos(angle) * rope.attention_factor);
      sin[position * table_.half + i] = float(std::sin(angle) * rope.attention_factor);
    }
}

}  // namespace nibble
