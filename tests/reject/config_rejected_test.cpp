// config.json: missing, damaged, contradictory, absurd, or of a model that Nibble does not run.
#include "../made/made_files.hpp"
#include "engine/load.hpp"
#include "nibble/quantize.hpp"
#include "refused.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using made::Json;

struct Case {
  const char* what;
  Json change;  // merged into a good config; null removes a key
  Errc code;
  Words words;
};

const std::vector<Case> cases = {
    {"no size", {{"hidden_size", nullptr}}, Errc::corrupt_file, {"\"hidden_size\"", "missing"}},
    {"no vocabulary", {{"vocab_size", nullptr}}, Errc::corrupt_file, {"\"vocab_size\"", "missing"}},
    {"no layers", {{"num_hidden_layers", 0}}, Errc::corrupt_file, {"\"num_hidden_layers\" is 0"}},
    {"a billion layers", {{"num_hidden_layers", 1000000000}}, Errc::corrupt_file, {"num_hidden_layers", "1000000000"}},
    {"five thousand layers", {{"num_hidden_layers", 5000}}, Errc::corrupt_file, {"5000", "4096"}},
    {"a size below zero", {{"intermediate_size", -64}}, Errc::corrupt_file, {"intermediate_size", "-64"}},
    {"a size with a fraction", {{"hidden_size", 32.5}}, Errc::corrupt_file, {"hidden_size", "32.5", "whole number"}},
    {"a size in words", {{"hidden_size", "32"}}, Errc::corrupt_file, {"hidden_size", "\"32\""}},
    {"a size beyond 64 bits", {{"hidden_size", 1e30}}, Errc::corrupt_file, {"hidden_size", "1e+30"}},
    {"a size that no model has", {{"hidden_size", 1 << 30}}, Errc::corrupt_file, {"hidden_size", "1073741824"}},
    {"heads that multiply to no model's size",
     {{"num_attention_heads", 1 << 20}, {"head_dim", 1 << 20}},
     Errc::corrupt_file,
     {"1048576 attention heads of 1048576"}},
    {"heads that do not divide the size",
     {{"num_attention_heads", 5}},
     Errc::corrupt_file,
     {"5", "\"hidden_size\" 32"}},
    {"key heads that do not divide the heads",
     {{"num_attention_heads", 4}, {"num_key_value_heads", 3}},
     Errc::corrupt_file,
     {"4 attention heads", "3 key/value heads"}},
    {"an odd head", {{"head_dim", 15}}, Errc::corrupt_file, {"head_dim", "15", "even"}},
    {"an epsilon of nothing", {{"rms_norm_eps", 0}}, Errc::corrupt_file, {"rms_norm_eps", "positive"}},
    {"a switch that is a word", {{"tie_word_embeddings", "yes"}}, Errc::corrupt_file, {"tie_word_embeddings", "yes"}},
    {"a kind of model that is a number", {{"model_type", 7}}, Errc::corrupt_file, {"\"model_type\" is 7", "text"}},
    {"biases that Mistral does not have",
     {{"architectures", {"MistralForCausalLM"}}, {"model_type", "mistral"}, {"attention_bias", true}},
     Errc::unsupported,
     {"biases", "MistralForCausalLM"}},
    {"two kinds of model", {{"model_type", "qwen3"}}, Errc::corrupt_file, {"LlamaForCausalLM", "qwen3", "contradict"}},
    {"another activation", {{"hidden_act", "gelu"}}, Errc::unsupported, {"hidden_act", "gelu", "silu"}},
    {"a key that is not understood",
     {{"attention_sinks", 4}},
     Errc::unsupported,
     {"attention_sinks", "4", "--ignore-config attention_sinks"}},
    {"a window that Llama does not have", {{"sliding_window", 16}}, Errc::unsupported, {"sliding_window", "16"}},
    {"too few layer types", {{"layer_types", Json::array()}}, Errc::corrupt_file, {"layer_types", "1 layers"}},
    {"a layer type that is not known",
     {{"layer_types", {"linear_attention"}}},
     Errc::unsupported,
     {"layer_types", "linear_attention"}},
    {"a scaling of rope that is not known",
     {{"rope_scaling", {{"type", "longrope"}}}},
     Errc::unsupported,
     {"longrope", "yarn"}},
    {"a key of rope that is not understood",
     {{"rope_scaling", {{"type", "yarn"}, {"mscale", 2}}}},
     Errc::unsupported,
     {"mscale"}},
    {"rope as a number", {{"rope_scaling", 2}}, Errc::corrupt_file, {"rope_scaling", "object"}},
    {"yarn without a base",
     {{"rope_theta", 1}, {"rope_scaling", {{"type", "yarn"}, {"factor", 2}}}},
     Errc::corrupt_file,
     {"rope_theta", "yarn"}},
    {"llama3 without a ramp",
     {{"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8}, {"low_freq_factor", 4}, {"high_freq_factor", 4}}}},
     Errc::corrupt_file,
     {"low_freq_factor", "should be below"}},
    {"linear without a factor",
     {{"rope_scaling", {{"type", "linear"}}}},
     Errc::corrupt_file,
     {"rope_scaling", "\"factor\" is missing", "linear"}},
    {"yarn without a factor",
     {{"rope_parameters", {{"rope_type", "yarn"}, {"rope_theta", 1e6}}}},
     Errc::corrupt_file,
     {"rope_parameters", "\"factor\" is missing", "yarn"}},
    {"llama3 without a factor for high frequencies",
     {{"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8}, {"low_freq_factor", 1}}}},
     Errc::corrupt_file,
     {"rope_scaling", "\"high_freq_factor\" is missing", "llama3"}},
    {"two ropes that contradict each other",
     {{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 1e6}}},
      {"rope_scaling", {{"type", "yarn"}, {"factor", 4}}}},
     Errc::corrupt_file,
     {"\"rope_parameters\" and \"rope_scaling\" contradict each other", "keep one"}},
    {"two ropes of different bases",
     {{"rope_theta", 10000},
      {"rope_parameters", {{"rope_type", "linear"}, {"factor", 4}, {"rope_theta", 1e6}}},
      {"rope_scaling", {{"type", "linear"}, {"factor", 4}}}},
     Errc::corrupt_file,
     {"contradict each other"}},
    {"an epsilon that leaves nothing of the norm",
     {{"rms_norm_eps", 1e308}},
     Errc::corrupt_file,
     {"rms_norm_eps", "1e+308", "below 1"}},
    {"an end that is a word", {{"eos_token_id", "x"}}, Errc::corrupt_file, {"eos_token_id", "\"x\"", "token id"}},
    {"an end that is nothing", {{"eos_token_id", Json::object()}}, Errc::corrupt_file, {"eos_token_id", "{}"}},
    {"an end below the first token", {{"eos_token_id", {2, -1}}}, Errc::corrupt_file, {"eos_token_id", "-1"}},
    {"architectures that are a number", {{"architectures", 5}}, Errc::corrupt_file, {"architectures", "5", "list of"}},
    {"a type of 8 bits", {{"torch_dtype", "float8_e4m3fn"}}, Errc::unsupported, {"float8_e4m3fn", "bfloat16"}},
    {"GPTQ",
     {{"quantization_config", {{"quant_method", "gptq"}, {"bits", 4}}}},
     Errc::unsupported,
     {"\"gptq\"", "nibble quantize"}},
    {"AWQ", {{"quantization_config", {{"quant_method", "awq"}, {"bits", 4}}}}, Errc::unsupported, {"\"awq\""}},
    {"FP8", {{"quantization_config", {{"quant_method", "fp8"}}}}, Errc::unsupported, {"\"fp8\""}},
    {"MXFP4", {{"quantization_config", {{"quant_method", "mxfp4"}}}}, Errc::unsupported, {"\"mxfp4\""}},
    {"Gemma",
     {{"architectures", {"Gemma2ForCausalLM"}}, {"model_type", "gemma2"}},
     Errc::unsupported,
     {"Gemma2ForCausalLM", "LlamaForCausalLM", "estimate"}},
    {"Phi-3", {{"architectures", {"Phi3ForCausalLM"}}, {"model_type", "phi3"}}, Errc::unsupported, {"Phi3ForCausalLM"}},
    {"experts",
     {{"architectures", {"MixtralForCausalLM"}}, {"model_type", "mixtral"}},
     Errc::unsupported,
     {"MixtralForCausalLM"}},
};

TEST(ConfigRejected, EveryWrongValueIsNamedAndNothingIsWritten) {
  const made::Folder folder("config-rejected");
  const fs::path model = folder / "model", out = folder / "out";
  made::write_llama(model);
  ASSERT_TRUE(load_model(model, {})) << load_model(model, {}).error().message;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    Json config = made::llama_config();
    config.merge_patch(c.change);
    made::write(model / "config.json", config.dump());
    Words words = c.words;
    words.push_back(model.string());
    expect_refused(load_model(model, {}), c.code, words);
    expect_refused(quantize_checkpoint(model, out, {}), c.code, words);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1) << "only the model is there";
  }
}

TEST(ConfigRejected, AConfigThatIsNoneIsNamedWithTheByte) {
  const made::Folder folder("config-damaged");
  const fs::path model = folder / "model", config = model / "config.json";
  made::write_llama(model);
  made::write(config, "{\"hidden_size\": 32,");
  expect_refused(load_model(model, {}), Errc::corrupt_file, {config.string(), "not valid JSON at byte"});
  made::write(config, "[1, 2]");
  expect_refused(load_model(model, {}), Errc::corrupt_file, {config.string(), "JSON object"});
  made::write(config, R"({"rms_norm_eps": 1e999})");
  expect_refused(load_model(model, {}), Errc::corrupt_file, {config.string(), "not valid JSON", "overflow"});
  made::write(config, "");
  expect_refused(load_model(model, {}), Errc::corrupt_file, {config.string(), "byte 1"});
  made::write(config, std::string(100000, '['));
  expect_refused(load_model(model, {}), Errc::corrupt_file, {config.string(), "deeper than 200"});
  fs::remove(config);
  expect_refused(load_model(model, {}), Errc::not_found, {model.string(), "config.json", "not a model"});
}

}  // namespace
}  // namespace nibble
