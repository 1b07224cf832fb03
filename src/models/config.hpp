// What an architecture is, as data: config.json is read by a table of rules, and a value that Nibble would have to
// ignore is refused by name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/json.hpp"
#include "models/model_shape.hpp"
#include "tensor/dtype.hpp"

namespace nibble {

struct RopeScaling {
  enum class Kind { none, linear, llama3, yarn };
  Kind kind = Kind::none;
  double factor = 1, low_freq_factor = 1, high_freq_factor = 4, beta_fast = 32, beta_slow = 1, attention_factor = 0;
  std::int64_t original_positions = 0;
  bool operator==(const RopeScaling&) const = default;
};

struct ModelConfig : ModelShape {
  std::string architecture;  // "LlamaForCausalLM"
  std::string model_type;    // "llama"
  std::int64_t max_positions = 0;
  double rms_norm_eps = 1e-6, rope_theta = 10000;
  RopeScaling rope_scaling;
  std::vector<std::int64_t> windows;  // per layer: positions a query sees, itself included; 0 sees all
  DType dtype = DType::bf16;          // what config.json says the weights are stored in
};

// Reads a config of an architecture that runs. `ignore` names keys that the user takes responsibility for.
Result<ModelConfig> read_model_config(const Json& config, std::string_view place,
                                      const std::vector<std::string>& ignore = {});

// What generation_config.json says about sampling and ends has the type that it should have. `ignore`: as above.
Result<void> check_generation_config(const Json& config, std::string_view place,
                                     const std::vector<std::string>& ignore = {});

// Frequencies in radians per position, head_dim/2 of them, after scaling; `attention_factor` multiplies cos and sin.
struct RopeFrequencies {
  std::vector<double> frequencies;
  double attention_factor = 1;
};
RopeFrequencies rope_frequencies(const ModelConfig& config);

}  // namespace nibble
