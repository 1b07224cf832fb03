#include "models/gguf_rope.hpp"

#include <algorithm>
#include <cmath>

namespace nibble {
namespace {

double plain_frequency(const ModelConfig& config, std::size_t i) {
  return std::pow(config.rope_theta, -2.0 * double(i) / double(config.head_dim));
}

}  // namespace

std::vector<float> rope_divisors_of(const ModelConfig& config) {
  std::vector<float> divisors;
  if (config.rope_scaling.kind != RopeScaling::Kind::llama3) return divisors;
  const std::vector<double> scaled = rope_frequencies(config).frequencies;
  for (std::size_t i = 0; i < scaled.size(); ++i) divisors.push_back(float(plain_frequency(config, i) / scaled[i]));
  return divisors;
}

std::vector<float> stored_rope_divisors(const Checkpoint& checkpoint) {
  const CheckpointTensor* tensor = checkpoint.is_gguf() ? checkpoint.find(gguf_rope_tensor) : nullptr;
  if (!tensor) return {};
  std::vector<float> divisors(tensor->elements());
  tensor->read(0, std::int64_t(divisors.size()), divisors.data());
  return divisors;
}

Result<void> check_rope_divisors(const CheckpointTensor& tensor, std::int64_t head_dim) {
  if (tensor.dtype != DType::f32 || tensor.shape != std::vector<std::int64_t>{head_dim / 2})
    return error(Errc::corrupt_file, "tensor \"{}\" is {} [{}], expected F32 [{}]", tensor.name, tensor.type,
                 fmt::join(tensor.shape, ", "), head_dim / 2);
  std::vector<float> values(tensor.elements());
  tensor.read(0, std::int64_t(values.size()), values.data());
  for (const float value : values)
    if (!std::isfinite(value) || value <= 0)
      return error(Errc::corrupt_file, "tensor \"{}\" holds {}, expected positive numbers", tensor.name, value);
  return {};
}

// The "llama3" scaling whose frequencies, divided, are those that a GGUF file lists. Between its two plateaus the
// inverse of a divisor is a line over the frequency; its ends give the scaling up to a common factor of
// low_freq_factor, high_freq_factor and the context, so low_freq_factor is 1.
Result<RopeScaling> rope_scaling_of(ModelConfig config, const std::vector<float>& divisors) {
  RopeScaling scaling;
  scaling.kind = RopeScaling::Kind::llama3;
  scaling.factor = *std::max_element(divisors.begin(), divisors.end());
  scaling.low_freq_factor = 1;  // these three are Llama 3.1's
  scaling.high_freq_factor = 4;
  scaling.original_positions = 8192;
  std::vector<std::pair<double, double>> ramp;  // turns over one position, share of the unscaled frequency
  for (std::size_t i = 0; i < divisors.size(); ++i) {
    const double plain = plain_frequency(config, i);
    if (divisors[i] > 1 && double(divisors[i]) < scaling.factor)
      ramp.emplace_back(plain / (2 * 3.14159265358979323846),
                        (1 / double(divisors[i]) - 1 / scaling.factor) / (1 - 1 / scaling.factor));
  }
  if (ramp.size() == 1) {  // between Llama 3.1's usual 1 and 4
    const auto [x, y] = ramp.front();
    scaling.original_positions = std::llround((3 * y + 1) / x);
  } else if (ramp.size() >= 2) {
    const auto [x0, y0] = ramp.front();
    const auto [x1, y1] = ramp.back();
    const double slope = (y0 - y1) / (x0 - x1), at_zero = y0 - slope * x0;
    if (at_zero < 0 && slope > 0) {
      scaling.high_freq_factor = std::round((1 - 1 / at_zero) * 1000) / 1000;
      scaling.original_positions = std::llround(slope * (scaling.high_freq_factor - 1));
    }
  }
  config.rope_scaling = scaling;
  const std::vector<double> scaled = rope_frequencies(config).frequencies;
  for (std::size_t i = 0; i < divisors.size(); ++i) {
    const double plain = plain_frequency(config, i);
    if (std::fabs(plain / scaled[i] / double(divisors[i]) - 1) > 1e-5)
      return error(Errc::unsupported,
                   "tensor \"{}\" divides frequency {} by {}, which no \"llama3\" scaling of a "
                   "config.json does; keep the model as GGUF",
                   gguf_rope_tensor, i, divisors[i]);
  }
  return scaling;
}

}  // namespace nibble
