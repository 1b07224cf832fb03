// Source: the metadata keys of gguf-py's constants.
#include "io/gguf_config.hpp"

#include <algorithm>
#include <array>

namespace nibble {
namespace {

struct Architecture {
  std::string_view gguf, architecture, model_type;
  bool runs = false, interleaved = false;
};
// What Nibble does not run has a name here so that `inspect` and `estimate` know it.
constexpr std::array<Architecture, 9> architectures = {{{"llama", "LlamaForCausalLM", "llama", true, true},
                                                        {"qwen2", "Qwen2ForCausalLM", "qwen2", true},
                                                        {"qwen3", "Qwen3ForCausalLM", "qwen3", true},
                                                        {"gemma", "GemmaForCausalLM", "gemma"},
                                                        {"gemma2", "Gemma2ForCausalLM", "gemma2"},
                                                        {"gemma3", "Gemma3ForCausalLM", "gemma3_text"},
                                                        {"phi3", "Phi3ForCausalLM", "phi3"},
                                                        {"qwen2moe", "Qwen2MoeForCausalLM", "qwen2_moe"},
                                                        {"qwen3moe", "Qwen3MoeForCausalLM", "qwen3_moe"}}};

struct Key {
  std::string_view gguf, hugging_face;
  bool required = false;
};
constexpr std::array<Key, 12> keys = {{{"embedding_length", "hidden_size", true},
                                       {"block_count", "num_hidden_layers", true},
                                       {"feed_forward_length", "intermediate_size", true},
                                       {"attention.head_count", "num_attention_heads", true},
                                       {"attention.head_count_kv", "num_key_value_heads"},
                                       {"attention.layer_norm_rms_epsilon", "rms_norm_eps", true},
                                       {"context_length", "max_position_embeddings", true},
                                       {"attention.key_length", "head_dim"},
                                       {"expert_count", "num_local_experts"},
                                       {"expert_used_count", "num_experts_per_tok"},
                                       {"expert_feed_forward_length", "moe_intermediate_size"},
                                       {"expert_shared_feed_forward_length", "shared_expert_intermediate_size"}}};
// Read elsewhere, or true of every file: the vocabulary is what the embedding has rows.
constexpr std::string_view other_keys[] = {
    "rope.freq_base",         "rope.scaling.type",    "rope.scaling.factor",    "rope.scaling.original_context_length",
    "rope.scaling.finetuned", "rope.dimension_count", "attention.value_length", "vocab_size"};

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

Result<Json> rope_from_metadata(const Gguf& file, const std::string& prefix) {
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
      [](const auto& held) -> Json {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, GgufValue::Array>)
          return fmt::format("{} values", held.size());
        else if constexpr (std::is_same_v<Held, std::string>)
          return Json::parse(Json(held).dump(-1, ' ', true, Json::error_handler_t::replace));
        else
          return held;
      },
      value.value);
}

// Widths that Nibble takes to be one and the same.
Result<void> check_head_widths(const Gguf& file, const std::string& prefix, const Json& config) {
  const Json head_dim =
      !config.at("head_dim").is_null()
          ? config.at("head_dim")
          : Json(config.value("hidden_size", std::int64_t(0)) / config["num_attention_heads"].get<std::int64_t>());
  for (const char* key : {"rope.dimension_count", "attention.value_length"}) {
    Json value;
    NIBBLE_CHECK(read_number(file, prefix + key, value));
    if (!value.is_null() && value != head_dim)
      return error(Errc::unsupported, "\"{}{}\" is {} where a head's width is {}; Nibble needs them equal", prefix, key,
                   shown(value), shown(head_dim));
  }
  return {};
}

Result<std::int64_t> head_count(const Json& config, const char* name, const std::string& key) {
  const Json& value = config[name];
  if (!value.is_number_integer() || value < 1 || value > (1 << 20))
    return error(Errc::corrupt_file, "\"{}\" is {}, expected a whole number from 1 to 2^20", key, shown(value));
  return value.get<std::int64_t>();
}

}  // namespace

Result<GgufConfig> read_gguf_config(const Gguf& file) {
  NIBBLE_TRY(const std::string name, file.text("general.architecture"));
  Architecture architecture{name, name, name};
  for (const Architecture& entry : architectures)
    if (entry.gguf == name) architecture = entry;
  const std::string prefix = name + ".";
  if (name == "llama" && file.find("llama.expert_count") && file.integer("llama.expert_count").has_value() &&
      *file.integer("llama.expert_count") > 0)
    architecture = {"llama", "MixtralForCausalLM", "mixtral"};

  GgufConfig out;
  Json& config = out.config;
  config = {{"architectures", Json::array({architecture.architecture})}, {"model_type", architecture.model_type}};
  config["head_dim"] = config["sliding_window"] = nullptr;  // not given means none here, a default in config.json
  for (const Key& key : keys) {
    const std::string full = prefix + std::string(key.gguf);
    Json value;
    NIBBLE_CHECK(read_number(file, full, value));
    if (value.is_null() && key.required && architecture.runs)
      return error(Errc::corrupt_file,
                   "metadata key \"{}\" is missing, without it the model is not known; take a file made by a current "
                   "converter",
                   full);
    if (!value.is_null() && !(key.gguf.starts_with("expert_") && value == 0)) config[key.hugging_face] = value;
  }
  if (!config.contains("num_key_value_heads") && config.contains("num_attention_heads"))
    config["num_key_value_heads"] = config["num_attention_heads"];
  NIBBLE_TRY(config["rope_parameters"], rope_from_metadata(file, prefix));
  config["hidden_act"] = "silu";
  for (const auto& [key, into] :
       {std::pair{"tokenizer.ggml.bos_token_id", "bos_token_id"}, {"tokenizer.ggml.eos_token_id", "eos_token_id"}}) {
    Json value;
    NIBBLE_CHECK(read_number(file, key, value));
    if (!value.is_null()) config[into] = value;
  }
  if (!architecture.runs) return out;

  NIBBLE_TRY(out.heads, head_count(config, "num_attention_heads", prefix + "attention.head_count"));
  NIBBLE_TRY(out.kv_heads, head_count(config, "num_key_value_heads", prefix + "attention.head_count_kv"));
  out.interleaved = architecture.interleaved;
  NIBBLE_CHECK(check_head_widths(file, prefix, config));
  for (const auto& [key, value] : file.metadata()) {
    if (!key.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(key).substr(prefix.size());
    const auto is_rest = [&](const Key& known) { return known.gguf == rest; };
    if (std::none_of(keys.begin(), keys.end(), is_rest) &&
        std::find(std::begin(other_keys), std::end(other_keys), rest) == std::end(other_keys))
      config[key] = as_json(value);
  }
  return out;
}

}  // namespace nibble
