// cos and sin of every position and frequency, in the backend's memory.
#pragma once

#include <vector>

#include "models/config.hpp"
#include "ops/backend.hpp"

namespace nibble {

class RopeTables {
 public:
  // `divisors` of the frequencies, as GGUF files carry them; empty: none.
  explicit RopeTables(std::vector<double> divisors) : divisors_(std::move(divisors)) {}
  // At least so many positions. The old tables go before the new are taken.
  Result<void> reserve(const ModelConfig& config, Backend& backend, std::int64_t positions);
  const RopeTable& table() const { return table_; }

 private:
  void fill(const ModelConfig& config, float* cos, float* sin) const;
  std::vector<double> divisors_;
  RopeTable table_;
  Buffer cos_, sin_;
};

}  // namespace nibble
