// Numbers from rows of logits. All sums in double.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nibble/evaluate.hpp"

namespace nibble {

// log(sum(exp(logits))), stable.
double log_sum_exp(std::span<const float> logits);
double negative_log_likelihood(std::span<const float> logits, std::int32_t target);  // nats

// The mean of n values and its standard error, s / sqrt(n) with s^2 = sum (x - mean)^2 / (n - 1). Zeros of nothing; one
// value has no error that could be told.
struct MeanAndError {
  double mean = 0, error = 0;
};
MeanAndError mean_and_error(std::span<const double> values);

// KL(expected || actual) per position, gathered.
class DivergenceSum {
 public:
  void add(std::span<const float> expected, std::span<const float> actual);
  Divergence result() const;

 private:
  std::vector<double> kl_;
  std::int64_t agreed_ = 0;
};

}  // namespace nibble
