// Rotary frequencies and their scaling. Sources: RoFormer (arXiv 2104.09864), YaRN (arXiv 2309.00071), and for "llama3"
// the Llama 3.1 model card: long wavelengths are divided by the factor, short ones kept, a smooth ramp between.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "models/config.hpp"

namespace nibble {
namespace {

// The dimension pair that turns `rotations` times over the original context.
double yarn_dimension(const ModelConfig& config, double rotations) {
  return double(config.head_dim) *
         std::log(double(config.rope_scaling.original_positions) / (rotations * 2 * std::numbers::pi)) /
         (2 * std::log(config.rope_theta));
}

}  // namespace

RopeFrequencies rope_frequencies(const ModelConfig& config) {
  const std::int64_t half = config.head_dim / 2;
  const RopeScaling& scaling = config.rope_scaling;
  RopeFrequencies out;
  double low = 0, high = 0;
  if (scaling.kind == RopeScaling::Kind::yarn) {
    low = std::max(std::floor(yarn_dimension(config, scaling.beta_fast)), 0.0);
    high = std::min(std::ceil(yarn_dimension(config, scaling.beta_slow)), double(config.head_dim - 1));
    if (low == high) high += 0.001;
    out.attention_factor = scaling.attention_factor > 0 ? scaling.attention_factor
                           : scaling.factor <= 1        ? 1
                                                        : 0.1 * std::log(scaling.factor) + 1;
  }
  for (std::int64_t i = 0; i < half; ++i) {
    const double plain = std::pow(config.rope_theta, -2.0 * double(i) / double(config.head_dim));
    double frequency = plain;
    if (scaling.kind == RopeScaling::Kind::linear) {
      frequency = plain / scaling.factor;
    } else if (scaling.kind == RopeScaling::Kind::llama3) {
      const double wavelength = 2 * std::numbers::pi / plain, context = double(scaling.original_positions);
      if (wavelength > context / scaling.low_freq_factor) {
        frequency = plain / scaling.factor;
      } else if (wavelength >= context / scaling.high_freq_factor) {
        const double smooth =
            (context / wavelength - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
        frequency = (1 - smooth) * plain / scaling.factor + smooth * plain;
      }
    } else if (scaling.kind == RopeScaling::Kind::yarn) {
      const double ramp = std::clamp((double(i) - low) / (high - low), 0.0, 1.0);
      frequency = plain / scaling.factor * ramp + plain * (1 - ramp);
    }
    out.frequencies.push_back(frequency);
  }
  return out;
}

}  // namespace nibble
