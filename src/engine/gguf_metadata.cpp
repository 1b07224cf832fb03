// Source: the metadata keys of gguf-py's constants, and which of them its converters write.
#include "engine/gguf_metadata.hpp"

#include <cmath>

namespace nibble {
namespace {

Result<void> add_rope(const ModelConfig& config, const std::string& prefix, GgufModel& out) {
  const RopeScaling& scaling = config.rope_scaling;
  const auto add = [&](const char* key, auto value) { out.metadata.push_back({prefix + key, value}); };
  add("rope.freq_base", float(config.rope_theta));
  switch (scaling.kind) {
    case RopeScaling::Kind::none:
      return {};
    case RopeScaling::Kind::linear:
      add("rope.scaling.type", std::string("linear"));
      add("rope.scaling.factor", float(scaling.factor));
      return {};
    case RopeScaling::Kind::yarn:
      if (scaling.beta_fast != 32 || scaling.beta_slow != 1 || scaling.attention_factor > 0)
        return error(
            Errc::unsupported,
            "yarn with beta_fast {}, beta_slow {} or its own attention_factor cannot be written as GGUF; write "
            "a folder",
            scaling.beta_fast, scaling.beta_slow);
      add("rope.scaling.type", std::string("yarn"));
      add("rope.scaling.factor", float(scaling.factor));
      add("rope.scaling.original_context_length", std::uint32_t(scaling.original_positions));
      return {};
    case RopeScaling::Kind::llama3: {  // as divisors of each frequency, in a tensor of their own
      const std::vector<double> scaled = rope_frequencies(config).frequencies;
      for (std::size_t i = 0; i < scaled.size(); ++i)
        out.rope_factors.push_back(
            float(std::pow(config.rope_theta, -2.0 * double(i) / double(config.head_dim)) / scaled[i]));
    }
  }
  return {};
}

}  // namespace

Result<GgufModel> gguf_model(const ModelConfig& config, std::string_view name) {
  for (const std::int64_t window : config.windows)
    if (window > 0 && window < config.max_positions)
      return error(Errc::unsupported,
                   "its attention is limited to the last {} tokens, and GGUF has no key for that in this architecture; "
                   "write a folder",
                   window);
  GgufModel out;
  const bool llama = config.model_type == "llama" || config.model_type == "mistral";
  out.interleaved = llama;
  const std::string architecture = llama ? "llama" : config.model_type, prefix = architecture + ".";
  const auto add = [&](const std::string& key, auto value) { out.metadata.push_back({key, value}); };
  const auto size = [&](const char* key, std::int64_t value) { add(prefix + key, std::uint32_t(value)); };
  add("general.architecture", architecture);
  add("general.type", std::string("model"));
  add("general.name", std::string(name));
  size("block_count", config.layers);
  size("context_length", config.max_positions);
  size("embedding_length", config.hidden_size);
  size("feed_forward_length", config.intermediate_size);
  size("attention.head_count", config.heads);
  size("attention.head_count_kv", config.kv_heads);
  size("attention.key_length", config.head_dim);
  size("attention.value_length", config.head_dim);
  size("vocab_size", config.vocab_size);
  if (llama) size("rope.dimension_count", config.head_dim);
  add(prefix + "attention.layer_norm_rms_epsilon", float(config.rms_norm_eps));
  NIBBLE_CHECK(add_rope(config, prefix, out));
  return out;
}

}  // namespace nibble
