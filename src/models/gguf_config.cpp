// Source: the metadata keys of gguf-py's constants, and which of them its converters write.
#include "models/gguf_config.hpp"

#include <algorithm>
#include <array>

#include "models/architectures.hpp"
#include "models/gguf_rope.hpp"

namespace nibble {
namespace {

// Under the architecture's prefix. Where `config` is empty, a key is read elsewhere or true of every file: the
// vocabulary is what the embedding has rows.
struct Key {
  std::string_view gguf, config = {};
  bool required = false;
  std::int64_t ModelConfig::*written = nullptr;  // in this order
};
constexpr std::array keys = {
    Key{"block_count", "num_hidden_layers", true, &ModelConfig::layers},
    Key{"context_length", "max_position_embeddings", true, &ModelConfig::max_positions},
    Key{"embedding_length", "hidden_size", true, &ModelConfig::hidden_size},
    Key{"feed_forward_length", "intermediate_size", true, &ModelConfig::intermediate_size},
    Key{"attention.head_count", "num_attention_heads", true, &ModelConfig::heads},
    Key{"attention.head_count_kv", "num_key_value_heads", false, &ModelConfig::kv_heads},
    Key{"attention.key_length", "head_dim", false, &ModelConfig::head_dim},
    Key{"attention.value_length", "", false, &ModelConfig::head_dim},
    Key{"vocab_size", "", false, &ModelConfig::vocab_size},
    Key{"attention.layer_norm_rms_epsilon", "rms_norm_eps", true},
    Key{"expert_count", "num_local_experts"},
    Key{"expert_used_count", "num_experts_per_tok"},
    Key{"expert_feed_forward_length", "moe_intermediate_size"},
    Key{"expert_shared_feed_forward_length", "shared_expert_intermediate_size"},
    Key{"rope.dimension_count"},
    Key{"rope.freq_base"},
    Key{"rope.scaling.type"},
    Key{"rope.scaling.factor"},
    Key{"rope.scaling.original_context_length"},
    Key{"rope.scaling.finetuned"},
};

// Absent keys leave `out` as it is; a wrong type is an error.
Result<void> read_number(const Gguf& file, const std::string& key, Json& out) {
  if (!file.find(key)) return {};
  if (auto integer = file.integer(key)) {
    out = *integer;
    return {};
  }
  NIBBLE_TRY(const double number, file.number(key));
  out = number;
  return {};
}

Result<Json> read_rope(const Gguf& file, const std::string& prefix) {
  Json rope = {{"rope_type", "default"}, {"rope_theta", 10000.0}};
  NIBBLE_CHECK(read_number(file, prefix + "rope.freq_base", rope["rope_theta"]));
  if (!file.find(prefix + "rope.scaling.type")) return rope;
  NIBBLE_TRY(const std::string type, file.text(prefix + "rope.scaling.type"));
  if (type == "none") return rope;
  rope["rope_type"] = type;
  rope["factor"] = 1.0;
  NIBBLE_CHECK(read_number(file, prefix + "rope.scaling.factor", rope["factor"]));
  Json original;
  NIBBLE_CHECK(read_number(file, prefix + "rope.scaling.original_context_length", original));
  if (!original.is_null()) rope["original_max_position_embeddings"] = original;
  return rope;
}

// What is not understood, as an error message shows it. With --ignore-config it is written to a config.json as well,
// so text is made UTF-8.
Json as_json(const GgufValue& value) {
  return std::visit(
      [](const auto& content) -> Json {
        using Content = std::decay_t<decltype(content)>;
        if constexpr (std::is_same_v<Content, GgufValue::Array>)
          return fmt::format("{} values", content.size());
        else if constexpr (std::is_same_v<Content, std::string>)
          return Json::parse(Json(content).dump(-1, ' ', true, Json::error_handler_t::replace));
        else
          return content;
      },
      value.value);
}

Result<std::int64_t> head_count(const Json& config, const char* name, const std::string& key) {
  const Json& value = config[name];
  if (!value.is_number_integer() || value < 1 || value > (1 << 20))
    return error(Errc::corrupt_file, "\"{}\" is {}, expected a whole number from 1 to 2^20", key, shown(value));
  return value.get<std::int64_t>();
}

// Heads, and widths that Nibble takes to be one and the same.
Result<void> read_heads(const Gguf& file, const std::string& prefix, GgufConfig& out) {
  NIBBLE_TRY(out.heads, head_count(out.config, "num_attention_heads", prefix + "attention.head_count"));
  NIBBLE_TRY(out.kv_heads, head_count(out.config, "num_key_value_heads", prefix + "attention.head_count_kv"));
  if (out.config["head_dim"].is_null()) {
    NIBBLE_TRY(const std::int64_t width, head_count(out.config, "hidden_size", prefix + "embedding_length"));
    out.head_dim = width / out.heads;
  } else {
    NIBBLE_TRY(out.head_dim, head_count(out.config, "head_dim", prefix + "attention.key_length"));
  }
  const Json head_dim = out.head_dim;
  for (const char* key : {"rope.dimension_count", "attention.value_length"}) {
    Json value;
    NIBBLE_CHECK(read_number(file, prefix + key, value));
    if (!value.is_null() && value != head_dim)
      return error(Errc::unsupported, "\"{}{}\" is {} where a head's width is {}; Nibble needs them equal", prefix, key,
                   shown(value), shown(head_dim));
  }
  return {};
}

// What Nibble does not know has GGUF's name.
Architecture find_architecture(const Gguf& file, std::string_view name) {
  const auto experts = file.integer(fmt::format("{}.expert_count", name));
  const Architecture* known = architecture_of_gguf(name, experts && *experts > 0);
  return known ? *known : Architecture{.name = name, .model_type = name};
}

Result<void> read_metadata(const Gguf& file, const std::string& prefix, bool all, Json& config) {
  config["head_dim"] = config["sliding_window"] = nullptr;  // not given means none here, a default in config.json
  for (const Key& key : keys) {
    if (key.config.empty()) continue;
    const std::string full = prefix + std::string(key.gguf);
    Json value;
    NIBBLE_CHECK(read_number(file, full, value));
    if (value.is_null() && key.required && all)
      return error(Errc::corrupt_file,
                   "metadata key \"{}\" is missing, without it the model is not known; take a file made by a current "
                   "converter",
                   full);
    if (!value.is_null() && !(key.gguf.starts_with("expert_") && value == 0)) config[key.config] = value;
  }
  if (!config.contains("num_key_value_heads") && config.contains("num_attention_heads"))
    config["num_key_value_heads"] = config["num_attention_heads"];
  NIBBLE_TRY(config["rope_parameters"], read_rope(file, prefix));
  config["hidden_act"] = "silu";
  for (const auto& [key, into] :
       {std::pair{"tokenizer.ggml.bos_token_id", "bos_token_id"}, {"tokenizer.ggml.eos_token_id", "eos_token_id"}}) {
    Json value;
    NIBBLE_CHECK(read_number(file, key, value));
    if (!value.is_null()) config[into] = value;
  }
  return {};
}

Result<void> write_rope(const ModelConfig& config, const std::string& prefix, std::vector<GgufEntry>& out) {
  const RopeScaling& scaling = config.rope_scaling;
  const auto add = [&](const char* key, auto value) { out.push_back({prefix + key, value}); };
  add("rope.freq_base", float(config.rope_theta));
  switch (scaling.kind) {
    case RopeScaling::Kind::none:
    case RopeScaling::Kind::llama3:  // a tensor of its own: gguf_rope.hpp
      break;
    case RopeScaling::Kind::linear:
      add("rope.scaling.type", std::string("linear"));
      add("rope.scaling.factor", float(scaling.factor));
      break;
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
  }
  return {};
}

// The shortest number that is this one in fp32, which is all that GGUF keeps: 1e-6, not 9.99999997e-7.
double shortest(double value) { return std::stod(fmt::format("{}", float(value))); }

}  // namespace

Result<GgufConfig> read_gguf_config(const Gguf& file) {
  NIBBLE_TRY(const std::string name, file.text("general.architecture"));
  const Architecture architecture = find_architecture(file, name);
  const std::string prefix = name + ".";
  GgufConfig out;
  out.config = {{"architectures", Json::array({architecture.name})}, {"model_type", architecture.model_type}};
  NIBBLE_CHECK(read_metadata(file, prefix, architecture.runs, out.config));
  if (!architecture.runs) return out;

  out.rope_order = architecture.gguf_rope_order;
  NIBBLE_CHECK(read_heads(file, prefix, out));
  for (const auto& [key, value] : file.metadata()) {
    if (!key.starts_with(prefix)) continue;
    const auto is_this = [&, own = std::string_view(key).substr(prefix.size())](const Key& k) { return k.gguf == own; };
    if (std::none_of(keys.begin(), keys.end(), is_this)) out.config[key] = as_json(value);
  }
  return out;
}

Result<Json> config_json_of_gguf(const Checkpoint& checkpoint, const ModelConfig& config) {
  Json out = checkpoint.config();
  for (auto entry = out.begin(); entry != out.end();) entry = entry->is_null() ? out.erase(entry) : std::next(entry);
  out["head_dim"] = config.head_dim;
  const std::vector<float> divisors = stored_rope_divisors(checkpoint);
  if (std::any_of(divisors.begin(), divisors.end(), [](float d) { return d != 1; })) {
    auto scaling = rope_scaling_of(config, divisors);
    if (!scaling) return scaling.error().at(checkpoint.path().string());
    out["rope_parameters"] = {{"rope_type", "llama3"},
                              {"rope_theta", config.rope_theta},
                              {"factor", scaling->factor},
                              {"low_freq_factor", scaling->low_freq_factor},
                              {"high_freq_factor", scaling->high_freq_factor},
                              {"original_max_position_embeddings", scaling->original_positions}};
  }
  for (const char* key : {"rope_theta", "factor"})
    if (Json& rope = out["rope_parameters"]; rope.contains(key)) rope[key] = shortest(rope[key].get<double>());
  out["rms_norm_eps"] = shortest(config.rms_norm_eps);
  out["rope_theta"] = out["rope_parameters"]["rope_theta"];
  if (!is_text(out["rope_parameters"]["rope_type"], "default")) {
    out["rope_scaling"] = out["rope_parameters"];
    out["rope_scaling"].erase("rope_theta");
  }
  const auto pad = checkpoint.gguf()->integer("tokenizer.ggml.padding_token_id");
  if (pad && *pad >= 0 && *pad < config.vocab_size) out["pad_token_id"] = *pad;
  return out;
}

Result<std::vector<GgufEntry>> write_gguf_config(const ModelConfig& config, std::string_view name) {
  for (const std::int64_t window : config.windows)
    if (window > 0 && window < config.max_positions)
      return error(Errc::unsupported,
                   "its attention is limited to the last {} tokens, and GGUF has no key for that in this architecture; "
                   "write a folder",
                   window);
  const Architecture* architecture = architecture_of_type(config.model_type);
  if (!architecture || architecture->gguf.empty())
    return error(Errc::unsupported, "GGUF has no name for {}; write a folder", config.architecture);
  const std::string prefix = std::string(architecture->gguf) + ".";
  std::vector<GgufEntry> out;
  const auto add = [&](const std::string& key, auto value) { out.push_back({key, value}); };
  add("general.architecture", std::string(architecture->gguf));
  add("general.type", std::string("model"));
  add("general.name", std::string(name));
  for (const Key& key : keys)
    if (key.written) add(prefix + std::string(key.gguf), std::uint32_t(config.*key.written));
  if (architecture->gguf_rope_order) add(prefix + "rope.dimension_count", std::uint32_t(config.head_dim));
  add(prefix + "attention.layer_norm_rms_epsilon", float(config.rms_norm_eps));
  NIBBLE_CHECK(write_rope(config, prefix, out));
  return out;
}

}  // namespace nibble
