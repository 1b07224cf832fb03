// From logits to a token. The order of the steps is transformers': repetition penalty, temperature, top-k, top-p,
// min-p.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nibble/generate.hpp"

namespace nibble {

class Sampler {
 public:
  Sampler(const Sampling& sampling, std::uint64_t stream);
  // `seen`: ids of prompt and text so far, for the repetition penalty. A tie goes to the lower id.
  std::int32_t pick(std::span<const float> logits, std::span<const std::int32_t> seen);

 private:
  double uniform();
  Sampling sampling_;
  std::uint64_t state_;
  std::vector<float> scores_;
  std::vector<std::int32_t> order_;
  std::vector<double> weights_;
};

// bad_request if a value is out of range, naming it.
Result<void> check(const Sampling& sampling);

}  // namespace nibble
