#include <cmath>

#include "fuzz.hpp"
#include "models/config.hpp"
#include "models/outline.hpp"

namespace {

// No size of an accepted config may be nothing or overflow.
void count(const std::vector<nibble::ModuleSpec>& modules) {
  std::uint64_t all = 0;
  for (const nibble::ModuleSpec& module : modules) {
    fuzz_expect(module.rows >= 1 && module.cols >= 0, "sizes are positive");
    fuzz_expect(module.cols == 0 || std::uint64_t(module.rows) <= ~std::uint64_t(0) / std::uint64_t(module.cols),
                "a matrix's size does not overflow");
    fuzz_expect(!__builtin_add_overflow(all, 4 * module.elements(), &all), "the sum of sizes does not overflow");
  }
}

}  // namespace

bool fuzz_one(std::string_view bytes) {
  const auto json = nibble::parse_json(bytes, "config.json");
  if (!json || !json->is_object()) return false;
  const auto config = nibble::read_model_config(*json, "config.json");
  if (config) {
    if (config->head_dim <= 4096)
      for (const double frequency : nibble::rope_frequencies(*config).frequencies)
        fuzz_expect(std::isfinite(frequency), "the rotary frequencies of an accepted config are finite");
    if (config->layers <= 64) count(nibble::list_modules(*config));
    return true;
  }
  const auto outline = nibble::read_outline(*json, "config.json");
  if (outline) count(outline->modules);
  return outline.has_value();
}

std::vector<std::string> fuzz_seeds() {
  return {
      R"({"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"intermediate_size":172,"num_hidden_layers":5,)"
      R"("num_attention_heads":8,"num_key_value_heads":4,"vocab_size":512,"max_position_embeddings":512,"rms_norm_eps":1e-05,"hidden_act":"silu",)"
      R"("rope_theta":10000.0,"tie_word_embeddings":true,"torch_dtype":"float32","rope_scaling":{"rope_type":"llama3","factor":8.0,)"
      R"("low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":256}})",
      R"({"model_type":"mistral","hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,"num_attention_heads":4,"head_dim":32,"vocab_size":99,)"
      R"("max_position_embeddings":512,"sliding_window":128,"rope_scaling":{"type":"yarn","factor":4,"beta_fast":32,"beta_slow":1}})",
      R"({"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,)"
      R"("num_attention_heads":4,"num_key_value_heads":2,"vocab_size":99,"max_position_embeddings":512,"use_sliding_window":true,)"
      R"("sliding_window":64,"max_window_layers":1,"layer_types":["full_attention","sliding_attention"]})",
      R"({"architectures":["Qwen3MoeForCausalLM"],"model_type":"qwen3_moe","hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,)"
      R"("moe_intermediate_size":32,"num_experts":4,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":32,"vocab_size":99,)"
      R"("quantization_config":{"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"nf4","bnb_4bit_use_double_quant":true,)"
      R"("bnb_4bit_compute_dtype":"bfloat16","llm_int8_threshold":6.0,"llm_int8_skip_modules":["lm_head"]}})",
      repository_file("models/gutenberg-16m/config.json")};
}

std::vector<std::string> fuzz_words() {
  return {"\"rope_parameters\":{",
          "\"rope_theta\":",
          "\"layer_types\":[",
          "\"quantization_config\":",
          "null",
          "true",
          "-1",
          "1e308",
          "0",
          "[[[[",
          "{\"a\":",
          "\"head_dim\":",
          "\"Qwen3ForCausalLM\"",
          "\"linear\"",
          "\\u0000",
          "\xff"};
}
