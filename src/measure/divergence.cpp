#include "measure/divergence.hpp"

#include <algorithm>
#include <cmath>

namespace nibble {

double log_sum_exp(std::span<const float> logits) {
  const double highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double(logit) - highest);
  return highest + std::log(sum);
}

double negative_log_likelihood(std::span<const float> logits, std::int32_t target) {
  return log_sum_exp(logits) - double(logits[std::size_t(target)]);
}

MeanAndError mean_and_error(std::span<const double> values) {
  if (values.empty()) return {};
  const auto count = double(values.size());
  double sum = 0, squares = 0;
  for (const double x : values) sum += x;
  const double mean = sum / count;
  for (const double x : values) squares += (x - mean) * (x - mean);
  return {mean, values.size() < 2 ? 0 : std::sqrt(squares / (count - 1) / count)};
}

void DivergenceSum::add(std::span<const float> expected, std::span<const float> actual) {
  const double expected_total = log_sum_exp(expected), actual_total = log_sum_exp(actual);
  double kl = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double log_p = double(expected[i]) - expected_total;
    kl += std::exp(log_p) * (log_p - (double(actual[i]) - actual_total));
  }
  kl_.push_back(std::max(kl, 0.0));  // rounding can leave a zero slightly below zero
  agreed_ += std::max_element(expected.begin(), expected.end()) - expected.begin() ==
             std::max_element(actual.begin(), actual.end()) - actual.begin();
}

Divergence DivergenceSum::result() const {
  if (kl_.empty()) return {};
  std::vector<double> sorted = kl_;
  std::sort(sorted.begin(), sorted.end());
  const MeanAndError mean = mean_and_error(sorted);
  const auto p99 = std::size_t(std::ceil(0.99 * double(sorted.size()))) - 1;
  return {mean.mean, sorted[p99], sorted.back(), double(agreed_) / double(kl_.size()), mean.error};
}

}  // namespace nibble
