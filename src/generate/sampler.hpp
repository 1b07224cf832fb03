// From logits to a token. The order of the steps is transformers': repetition penalty, temperature, top-k, top-p,
// min-p.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nibble/generate.hpp"

namespace nibble {

struct Choice {
  std::int32_t id;
  double probability;  // among what is left after all filters
};

class Sampler {
 public:
  // `stream`: sequences of one seed that must not draw the same numbers have different ones.
  Sampler(const Sampling& sampling, std::uint64_t stream);
  // `seen`: ids of prompt and text so far, for the repetition penalty. A tie goes to the lower id.
  std::int32_t pick(std::span<const float> logits, std::span<const std::int32_t> seen);
  // What pick() draws from, the most likely first; good until the next call. Temperature 0 leaves one choice.
  std::span<const Choice> choices(std::span<const float> logits, std::span<const std::int32_t> seen);

  // The next of the numbers that seed and stream stand for, in [0, 1): 53 bits.
  double uniform();

 private:
  std::span<const Choice> most_likely(std::span<const float> scores);
  Sampling sampling_;
  std::uint64_t state_;
  std::vector<float> scores_;
  std::vector<std::int32_t> order_;
  std::vector<Choice> choices_;
};

// The choice whose share of [0, 1), in their order, holds `uniform`.
std::int32_t drawn(std::span<const Choice> from, double uniform);

// bad_request if a value is out of range, naming it.
Result<void> check(const Sampling& sampling);

}  // namespace nibble
