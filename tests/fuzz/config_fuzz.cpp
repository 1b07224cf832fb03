#include "fuzz.hpp"
#include "models/config.hpp"

void fuzz_one(std::string_view bytes) {
  const auto json = nibble::parse_json(bytes, "config.json");
  if (!json || !json->is_object()) return;
  const auto config = nibble::read_model_config(*json, "config.json");
  if (config && config->head_dim <= 4096) nibble::rope_frequencies(*config);
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
