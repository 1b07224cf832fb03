// Every key of a config.json is read, known to be harmless, or refused by its name; absent keys mean what transformers
// 5.24 takes in their place.
#include "models/config.hpp"

#include <gtest/gtest.h>

#include <cctype>

namespace nibble {
namespace {

Json config_of(const std::string& architecture, const std::string& changes = "{}") {
  Json config = {{"hidden_size", 64},         {"intermediate_size", 96},  {"num_hidden_layers", 4},
                 {"num_attention_heads", 4},  {"num_key_value_heads", 2}, {"vocab_size", 50},
                 {"model_type", architecture}};
  for (char& c : config["model_type"].get_ref<std::string&>()) c = char(std::tolower(c));
  config["architectures"] = Json::array({architecture + "ForCausalLM"});
  const Json changed = Json::parse(changes);
  for (const auto& [key, value] : changed.items()) config[key] = value;
  return config;
}

Result<ModelConfig> read(const std::string& architecture, const std::string& changes = "{}",
                         const std::vector<std::string>& ignore = {}) {
  return read_model_config(config_of(architecture, changes), "config.json", ignore);
}

struct Refusal {
  const char *architecture, *changes;
  std::vector<std::string> named;  // what the message must say: the key, and the value or the choices
};

TEST(ModelConfig, WhatIsNotUnderstoodIsRefusedByItsName) {
  const std::vector<Refusal> refusals = {
      {"Llama", R"({"attn_logit_softcapping": 30.0})", {"attn_logit_softcapping", "30.0", "--ignore-config"}},
      {"Llama", R"({"final_logit_softcapping": 15})", {"final_logit_softcapping", "15"}},
      {"Llama", R"({"logits_scaling": 8.0})", {"logits_scaling", "8.0"}},
      {"Llama", R"({"embedding_multiplier": 12.0})", {"embedding_multiplier"}},
      {"Llama", R"({"residual_multiplier": 0.22})", {"residual_multiplier"}},
      {"Llama", R"({"partial_rotary_factor": 0.5})", {"partial_rotary_factor", "0.5"}},
      {"Llama", R"({"num_local_experts": 8})", {"num_local_experts", "8"}},
      {"Llama", R"({"no_rope_layers": [1, 0, 1, 1]})", {"no_rope_layers"}},
      {"Llama", R"({"use_qk_norm": true})", {"use_qk_norm", "true"}},
      {"Llama", R"({"sliding_window": 512})", {"sliding_window", "512"}},
      {"Llama", R"({"hidden_act": "gelu"})", {"hidden_act", "gelu", "silu"}},
      {"Llama", R"({"dtype": "float8_e4m3fn"})", {"dtype", "float8_e4m3fn"}},
      {"Llama",
       R"({"rope_scaling": {"type": "dynamic", "factor": 2.0}})",
       {"rope_scaling", "dynamic", "default, linear, llama3, yarn"}},
      {"Qwen2",
       R"({"rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}})",
       {"rope_parameters", "dynamic"}},
      {"Llama", R"({"rope_scaling": {"rope_type": "longrope", "factor": 4.0}})", {"rope_scaling", "longrope"}},
      {"Llama",
       R"({"rope_scaling": {"rope_type": "longrope", "long_factor": [1.0], "short_factor": [1.0]}})",
       {"rope_scaling", "long_factor"}},
      {"Qwen3",
       R"({"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "mscale": 0.7}})",
       {"rope_parameters", "mscale"}},
      {"Qwen3",
       R"({"layer_types": ["full_attention", "chunked_attention", "full_attention", "full_attention"]})",
       {"layer_types", "[1]", "chunked_attention"}},
      {"Mistral", R"({"attention_bias": true})", {"biases", "Mistral"}},
      {"Gemma3", R"({})", {"Gemma3ForCausalLM", "LlamaForCausalLM"}},
      {"MixtralMoe", R"({})", {"MixtralMoeForCausalLM"}},
  };
  for (const Refusal& refusal : refusals) {
    const auto config = read(refusal.architecture, refusal.changes);
    ASSERT_FALSE(config) << refusal.changes;
    EXPECT_EQ(config.error().code, Errc::unsupported) << refusal.changes;
    EXPECT_EQ(config.error().message.find("config.json"), 0u) << config.error().message;
    for (const std::string& part : refusal.named)
      EXPECT_NE(config.error().message.find(part), std::string::npos) << part << " in: " << config.error().message;
  }
}

TEST(ModelConfig, ImpossibleValuesAreRefusedByTheirKey) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"hidden_size", "0"},
                                                        {"hidden_size", "\"64\""},
                                                        {"intermediate_size", "-1"},
                                                        {"num_hidden_layers", "1e3"},
                                                        {"num_hidden_layers", "100000"},
                                                        {"vocab_size", "4294967296"},
                                                        {"num_attention_heads", "true"},
                                                        {"rms_norm_eps", "\"small\""},
                                                        {"rope_theta", "-1"},
                                                        {"tie_word_embeddings", "1"},
                                                        {"head_dim", "15"},
                                                        {"layer_types", "[\"full_attention\"]"},
                                                        {"rope_scaling", "3"},
                                                        {"max_window_layers", "-1"}}) {
    const auto config = read("Qwen3", "{\"use_sliding_window\": true, \"" + key + "\": " + value + "}");
    ASSERT_FALSE(config) << key << " " << value;
    EXPECT_EQ(config.error().code, Errc::corrupt_file) << key;
    EXPECT_NE(config.error().message.find(key), std::string::npos) << config.error().message;
  }
  const auto tiny = read("Qwen3", R"({"head_dim": 128, "rope_theta": 1e-320})");
  ASSERT_FALSE(tiny);
  EXPECT_NE(tiny.error().message.find("rope_theta"), std::string::npos) << tiny.error().message;
  const auto missing = read_model_config({{"architectures", {"LlamaForCausalLM"}}}, "config.json");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("hidden_size"), std::string::npos);
}

TEST(ModelConfig, WhatIsSwitchedOffOrVouchedForIsAccepted) {
  EXPECT_TRUE(read("Llama", R"({"attn_logit_softcapping": null, "use_qk_norm": false, "no_rope_layers": []})"));
  EXPECT_TRUE(read("Llama", R"({"attn_logit_softcapping": 30.0})", {"attn_logit_softcapping"}));
  EXPECT_FALSE(read("Llama", R"({"attn_logit_softcapping": 30.0})", {"final_logit_softcapping"}));
}

TEST(ModelConfig, BothSpellingsOfRopeAndDtypeSayTheSame) {
  const std::vector<std::array<const char*, 2>> pairs = {
      {R"({"rope_theta": 5e5, "torch_dtype": "float16"})",
       R"({"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}, "dtype": "float16"})"},
      {R"({"rope_theta": 1e6, "rope_scaling": {"type": "linear", "factor": 4.0}, "torch_dtype": "float32"})",
       R"({"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1e6}, "dtype": "float32"})"},
      {R"({"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
           "high_freq_factor": 4.0, "original_max_position_embeddings": 32}})",
       R"({"rope_parameters": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
           "original_max_position_embeddings": 32, "rope_theta": 5e5}})"},
      {R"({"rope_theta": 1e6, "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64,
           "beta_fast": 16.0, "attention_factor": 1.5}})",
       R"({"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64,
           "beta_fast": 16.0, "attention_factor": 1.5, "rope_theta": 1e6}})"}};
  for (const auto& [old_spelling, new_spelling] : pairs) {
    const auto a = read("Llama", old_spelling), b = read("Llama", new_spelling);
    ASSERT_TRUE(a && b) << old_spelling;
    EXPECT_EQ(a->dtype, b->dtype);
    EXPECT_EQ(a->rope_theta, b->rope_theta);
    EXPECT_EQ(a->rope_scaling.kind, b->rope_scaling.kind);
    EXPECT_EQ(rope_frequencies(*a).frequencies, rope_frequencies(*b).frequencies) << old_spelling;
    EXPECT_EQ(rope_frequencies(*a).attention_factor, rope_frequencies(*b).attention_factor) << old_spelling;
  }
}

TEST(ModelConfig, TwoSpellingsInOneFileAreFineWhereTheyAgree) {
  const auto twice = read("Qwen3", R"({"rope_theta": 1e6, "rope_scaling": {"type": "yarn", "factor": 4.0},
      "rope_parameters": {"rope_type": "yarn", "factor": 4, "rope_theta": 1e6}})");
  ASSERT_TRUE(twice) << twice.error().message;
  EXPECT_EQ(twice->rope_theta, 1e6);
  EXPECT_EQ(twice->rope_scaling.kind, RopeScaling::Kind::yarn);
  EXPECT_TRUE(read("Qwen3", R"({"rope_scaling": {}, "rope_parameters": {"rope_theta": 1e6}})"))
      << "an empty one is none";
  EXPECT_TRUE(read("Qwen3", R"({"eos_token_id": -1})", {"eos_token_id"})) << "vouched for";
}

TEST(ModelConfig, AbsentKeysMeanWhatTransformersTakesAndNullMeansNone) {
  const auto bare = [](const std::string& architecture, const std::string& changes = "{}") {
    Json config = config_of(architecture, changes);
    config["num_attention_heads"] = 32;
    config["hidden_size"] = 64 * 32;
    config["num_hidden_layers"] = 30;
    config.erase("num_key_value_heads");
    return read_model_config(config, "config.json").value();
  };
  const ModelConfig llama = bare("Llama"), mistral = bare("Mistral"), qwen2 = bare("Qwen2"), qwen3 = bare("Qwen3");
  EXPECT_EQ(llama.kv_heads, 32);
  EXPECT_EQ(mistral.kv_heads, 8);
  EXPECT_EQ(qwen2.kv_heads, 32);
  EXPECT_EQ(llama.head_dim, 64);
  EXPECT_EQ(mistral.head_dim, 64);
  EXPECT_EQ(qwen3.head_dim, 128);
  EXPECT_EQ(llama.max_positions, 2048);
  EXPECT_EQ(mistral.max_positions, 131072);
  EXPECT_EQ(qwen2.max_positions, 32768);
  for (const ModelConfig& config : {llama, mistral, qwen2, qwen3}) {
    EXPECT_EQ(config.rms_norm_eps, 1e-6);
    EXPECT_EQ(config.rope_theta, 10000);
    EXPECT_FALSE(config.tied_embeddings);
  }
  EXPECT_EQ(llama.windows, std::vector<std::int64_t>(30, 0));
  EXPECT_EQ(qwen2.windows, std::vector<std::int64_t>(30, 0));
  EXPECT_EQ(mistral.windows, std::vector<std::int64_t>(30, 4096));
  EXPECT_EQ(bare("Mistral", R"({"sliding_window": null})").windows, std::vector<std::int64_t>(30, 0));

  std::vector<std::int64_t> last_two(30, 0);
  last_two[28] = last_two[29] = 4096;
  EXPECT_EQ(bare("Qwen2", R"({"use_sliding_window": true})").windows, last_two);
  EXPECT_EQ(bare("Qwen3", R"({"use_sliding_window": true, "max_window_layers": 0, "sliding_window": 8})").windows,
            std::vector<std::int64_t>(30, 8));
}

}  // namespace
}  // namespace nibble
