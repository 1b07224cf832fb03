// config.json and generation_config.json as values: what is accepted has sizes that are positive and do not overflow,
// and reads the same when it is written again.
#include <cmath>

#include "choices.hpp"
#include "fuzz.hpp"
#include "io/json.hpp"
#include "models/config.hpp"
#include "models/outline.hpp"

namespace {

const std::vector<FuzzJson>& configs() {
  static const std::vector<FuzzJson> all = {
      FuzzJson::parse(repository_file("models/gutenberg-16m/config.json")),
      FuzzJson::parse(
          R"({"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,)"
          R"("num_attention_heads":4,"num_key_value_heads":2,"vocab_size":99,"max_position_embeddings":512,"use_sliding_window":true,)"
          R"("rms_norm_eps":1e-06,"sliding_window":64,"max_window_layers":1,"layer_types":["full_attention","sliding_attention"],)"
          R"("rope_parameters":{"rope_type":"yarn","rope_theta":10000,"factor":4,"beta_fast":32,"beta_slow":1,"original_max_position_embeddings":256}})"),
      FuzzJson::parse(
          R"({"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"intermediate_size":172,"num_hidden_layers":5,)"
          R"("num_attention_heads":8,"num_key_value_heads":4,"head_dim":16,"vocab_size":512,"max_position_embeddings":512,"rms_norm_eps":1e-05,)"
          R"("hidden_act":"silu","attention_bias":true,"mlp_bias":false,"rope_theta":10000.0,"tie_word_embeddings":false,"torch_dtype":"float32",)"
          R"("rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":256},)"
          R"("quantization_config":{"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"nf4","bnb_4bit_use_double_quant":true,)"
          R"("bnb_4bit_compute_dtype":"bfloat16","llm_int8_threshold":6.0,"llm_int8_skip_modules":["lm_head"]}})")};
  return all;
}

const std::vector<std::string>& words() {
  static const std::vector<std::string> all = {"rope_scaling",
                                               "rope_parameters",
                                               "rope_theta",
                                               "linear",
                                               "llama3",
                                               "yarn",
                                               "default",
                                               "dynamic",
                                               "factor",
                                               "type",
                                               "rope_type",
                                               "head_dim",
                                               "hidden_act",
                                               "gelu",
                                               "sliding_attention",
                                               "sliding_window",
                                               "text_config",
                                               "quantization_config",
                                               "tie_word_embeddings",
                                               "Qwen3ForCausalLM",
                                               "MistralForCausalLM",
                                               "mixtral",
                                               "num_experts",
                                               "\x1b[31m",
                                               "\xe2\x80\xae",
                                               "a\nb"};
  return all;
}

void count(const std::vector<nibble::ModuleSpec>& modules) {
  std::uint64_t all = 0;
  for (const nibble::ModuleSpec& module : modules) {
    fuzz_expect(module.rows >= 1 && module.cols >= 0, "sizes are positive");
    fuzz_expect(!__builtin_add_overflow(all, 4 * module.elements(), &all), "the sum of sizes does not overflow");
  }
}

}  // namespace

bool fuzz_one(std::string_view bytes) {
  Choices choices(bytes);
  FuzzJson tree = choices.one_of(configs());
  change_json(tree, choices, words());
  const auto json = nibble::parse_json(tree.dump(), "config.json");
  fuzz_expect(json.has_value(), "what is written well-formed is read");
  if (!json->is_object()) return false;
  const auto config = nibble::read_model_config(*json, "config.json");
  if (config) {
    if (config->head_dim <= 4096)
      for (const double frequency : nibble::rope_frequencies(*config).frequencies)
        fuzz_expect(std::isfinite(frequency), "the rotary frequencies of an accepted config are finite");
    if (config->layers <= 64) count(nibble::list_modules(*config));
    return true;
  }
  fuzz_expect(config.error().message.size() < 2000, "a message is short whatever the file says");
  for (const char c : config.error().message)
    fuzz_expect(c == '\n' || static_cast<unsigned char>(c) >= 32, "a message is printable");
  const auto outline = nibble::read_outline(*json, "config.json");
  if (outline) count(outline->modules);
  return outline.has_value();
}

std::vector<std::string> fuzz_seeds() { return {std::string(1, '\0'), std::string(1, '\1'), std::string(1, '\2')}; }

std::vector<std::string> fuzz_words() { return {std::string("\0\5\2", 3), "\1\5\4", "\2\5\7"}; }
