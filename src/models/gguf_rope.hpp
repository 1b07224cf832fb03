// Llama 3's rope scaling in GGUF: divisors of the frequencies, in a tensor of their own. Both directions.
#pragma once

#include "models/checkpoint.hpp"
#include "models/config.hpp"

namespace nibble {

inline constexpr std::string_view gguf_rope_tensor = "rope_freqs.weight";

// Empty: the scaling is none of that kind.
std::vector<float> rope_divisors_of(const ModelConfig& config);

// What a GGUF file lists; empty: nothing, or it is no GGUF file. They have been checked.
std::vector<float> stored_rope_divisors(const Checkpoint& checkpoint);
Result<void> check_rope_divisors(const CheckpointTensor& tensor, std::int64_t head_dim);

// The scaling of a config.json that gives these divisors. Errors: there is none.
Result<RopeScaling> rope_scaling_of(ModelConfig config, const std::vector<float>& divisors);

}  // namespace nibble
