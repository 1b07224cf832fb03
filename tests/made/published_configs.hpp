// Shapes of published models as their config.json has them; what says nothing about sizes is left out.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace made {

// A model whose key/value heads, biases and the like are its architecture's.
inline nlohmann::json config_of(const char* architecture, const char* type, int hidden, int inner, int layers,
                                int heads, int kv_heads, int vocabulary, int positions,
                                const nlohmann::json& more = {}) {
  nlohmann::json out = {
      {"architectures", {architecture}}, {"model_type", type},          {"hidden_size", hidden},
      {"intermediate_size", inner},      {"num_hidden_layers", layers}, {"num_attention_heads", heads},
      {"num_key_value_heads", kv_heads}, {"vocab_size", vocabulary},    {"max_position_embeddings", positions},
      {"torch_dtype", "bfloat16"}};
  if (more.is_object()) out.update(more);
  return out;
}

inline nlohmann::json with(nlohmann::json config, const nlohmann::json& more) {
  config.update(more);
  return config;
}

inline nlohmann::json llama_8b() {
  return config_of("LlamaForCausalLM", "llama", 4096, 14336, 32, 32, 8, 128256, 131072,
                   {{"tie_word_embeddings", false}});
}
inline nlohmann::json llama_70b() {
  return config_of("LlamaForCausalLM", "llama", 8192, 28672, 80, 64, 8, 128256, 131072,
                   {{"tie_word_embeddings", false}});
}
inline nlohmann::json qwen3_8b() {
  return config_of("Qwen3ForCausalLM", "qwen3", 4096, 12288, 36, 32, 8, 151936, 40960,
                   {{"head_dim", 128}, {"tie_word_embeddings", false}});
}

inline const nlohmann::json awq = {{"quant_method", "awq"}, {"bits", 4}, {"group_size", 128}, {"zero_point", true}};
inline const nlohmann::json gptq = {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 128}, {"sym", true}};
inline const nlohmann::json fp8 = {{"quant_method", "fp8"}, {"fmt", "e4m3"}, {"weight_block_size", {128, 128}}};
inline const nlohmann::json nf4_double = {{"quant_method", "bitsandbytes"},
                                          {"load_in_4bit", true},
                                          {"load_in_8bit", false},
                                          {"bnb_4bit_quant_type", "nf4"},
                                          {"bnb_4bit_use_double_quant", true},
                                          {"bnb_4bit_compute_dtype", "bfloat16"}};

// Long because it is a table.
inline std::map<std::string, nlohmann::json> published_configs() {
  std::map<std::string, nlohmann::json> all;
  all["Qwen3-0.6B"] = config_of("Qwen3ForCausalLM", "qwen3", 1024, 3072, 28, 16, 8, 151936, 40960,
                                {{"head_dim", 128}, {"tie_word_embeddings", true}});
  all["Qwen3-4B"] = config_of("Qwen3ForCausalLM", "qwen3", 2560, 9728, 36, 32, 8, 151936, 40960,
                              {{"head_dim", 128}, {"tie_word_embeddings", true}});
  all["Llama-3.1-8B"] = llama_8b();
  all["Llama-3.1-70B"] = llama_70b();
  all["Mixtral-8x7B"] =
      config_of("MixtralForCausalLM", "mixtral", 4096, 14336, 32, 32, 8, 32000, 32768,
                {{"num_local_experts", 8}, {"num_experts_per_tok", 2}, {"tie_word_embeddings", false}});
  all["gpt-oss-20b"] =
      config_of("GptOssForCausalLM", "gpt_oss", 2880, 2880, 24, 64, 8, 201088, 131072,
                {{"head_dim", 64},
                 {"num_local_experts", 32},
                 {"num_experts_per_tok", 4},
                 {"sliding_window", 128},
                 {"attention_bias", true},
                 {"tie_word_embeddings", false},
                 {"quantization_config",
                  {{"quant_method", "mxfp4"},
                   {"modules_to_not_convert",
                    {"model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"}}}}});
  all["gemma-2-9b"] = config_of("Gemma2ForCausalLM", "gemma2", 3584, 14336, 42, 16, 8, 256000, 8192,
                                {{"head_dim", 256}, {"sliding_window", 4096}});
  all["gemma-3-4b"] = {{"architectures", {"Gemma3ForConditionalGeneration"}},
                       {"model_type", "gemma3"},
                       {"torch_dtype", "bfloat16"},
                       {"vision_config", {{"hidden_size", 1152}}},
                       {"text_config",
                        {{"model_type", "gemma3_text"},
                         {"hidden_size", 2560},
                         {"intermediate_size", 10240},
                         {"num_hidden_layers", 34},
                         {"sliding_window", 1024}}}};
  all["gemma-3-27b"] = {{"architectures", {"Gemma3ForConditionalGeneration"}},
                        {"model_type", "gemma3"},
                        {"torch_dtype", "bfloat16"},
                        {"text_config",
                         {{"model_type", "gemma3_text"},
                          {"hidden_size", 5376},
                          {"intermediate_size", 21504},
                          {"num_hidden_layers", 62},
                          {"num_attention_heads", 32},
                          {"num_key_value_heads", 16},
                          {"head_dim", 128},
                          {"sliding_window", 1024}}}};
  all["Phi-3-mini-4k"] = config_of("Phi3ForCausalLM", "phi3", 3072, 8192, 32, 32, 32, 32064, 4096,
                                   {{"sliding_window", 2047}, {"tie_word_embeddings", false}});
  all["Mistral-7B in fp32"] =
      config_of("MistralForCausalLM", "mistral", 4096, 14336, 32, 32, 8, 32768, 32768,
                {{"sliding_window", nullptr}, {"torch_dtype", "float32"}, {"tie_word_embeddings", false}});
  all["Mistral-Small-3.1-24B"] = {{"architectures", {"Mistral3ForConditionalGeneration"}},
                                  {"model_type", "mistral3"},
                                  {"torch_dtype", "bfloat16"},
                                  {"text_config",
                                   {{"model_type", "mistral"},
                                    {"hidden_size", 5120},
                                    {"intermediate_size", 32768},
                                    {"num_hidden_layers", 40},
                                    {"num_attention_heads", 32},
                                    {"num_key_value_heads", 8},
                                    {"head_dim", 128},
                                    {"sliding_window", nullptr},
                                    {"max_position_embeddings", 131072},
                                    {"vocab_size", 131072}}}};
  all["Qwen3-8B-AWQ"] = with(qwen3_8b(), {{"quantization_config", awq}});
  all["Llama-3.1-70B-GPTQ"] = with(llama_70b(), {{"quantization_config", gptq}});
  all["Llama-3.1-70B-FP8"] = with(llama_70b(), {{"quantization_config", fp8}});
  all["Qwen3-8B-FP8"] = with(qwen3_8b(), {{"quantization_config", fp8}});
  all["Llama-3.1-8B in nf4"] = with(llama_8b(), {{"quantization_config", nf4_double}});
  all["DeepSeek-V3"] = config_of("DeepseekV3ForCausalLM", "deepseek_v3", 7168, 18432, 61, 128, 128, 129280, 163840,
                                 {{"moe_intermediate_size", 2048},
                                  {"n_routed_experts", 256},
                                  {"n_shared_experts", 1},
                                  {"num_experts_per_tok", 8},
                                  {"first_k_dense_replace", 3},
                                  {"q_lora_rank", 1536},
                                  {"kv_lora_rank", 512},
                                  {"qk_nope_head_dim", 128},
                                  {"qk_rope_head_dim", 64},
                                  {"v_head_dim", 128},
                                  {"tie_word_embeddings", false},
                                  {"quantization_config", fp8}});
  all["DeepSeek-V2-Lite"] = config_of("DeepseekV2ForCausalLM", "deepseek_v2", 2048, 10944, 27, 16, 16, 102400, 163840,
                                      {{"moe_intermediate_size", 1408},
                                       {"n_routed_experts", 64},
                                       {"n_shared_experts", 2},
                                       {"num_experts_per_tok", 6},
                                       {"first_k_dense_replace", 1},
                                       {"q_lora_rank", nullptr},
                                       {"kv_lora_rank", 512},
                                       {"qk_nope_head_dim", 128},
                                       {"qk_rope_head_dim", 64},
                                       {"v_head_dim", 128},
                                       {"tie_word_embeddings", false}});
  all["Qwen1.5-MoE-A2.7B"] = config_of("Qwen2MoeForCausalLM", "qwen2_moe", 2048, 5632, 24, 16, 16, 151936, 8192,
                                       {{"moe_intermediate_size", 1408},
                                        {"shared_expert_intermediate_size", 5632},
                                        {"num_experts", 60},
                                        {"num_experts_per_tok", 4},
                                        {"use_sliding_window", false},
                                        {"tie_word_embeddings", false}});
  all["Qwen2.5-VL-7B"] = config_of("Qwen2_5_VLForConditionalGeneration", "qwen2_5_vl", 3584, 18944, 28, 28, 4, 152064,
                                   128000, {{"tie_word_embeddings", false}, {"vision_config", {{"depth", 32}}}});
  all["gpt2"] = {{"architectures", {"GPT2LMHeadModel"}},
                 {"model_type", "gpt2"},
                 {"n_embd", 768},
                 {"n_head", 12},
                 {"n_layer", 12},
                 {"n_positions", 1024},
                 {"vocab_size", 50257}};
  all["opt-125m"] = {{"model_type", "opt"},
                     {"hidden_size", 768},
                     {"ffn_dim", 3072},
                     {"num_hidden_layers", 12},
                     {"vocab_size", 50272},
                     {"num_attention_heads", 12},
                     {"max_position_embeddings", 2048}};
  all["bloom-560m"] = {
      {"model_type", "bloom"}, {"n_embed", 1024}, {"n_layer", 24}, {"num_attention_heads", 16}, {"vocab_size", 250880}};
  all["mpt-7b"] = {{"model_type", "mpt"}, {"d_model", 4096},     {"n_layers", 32},
                   {"n_heads", 32},       {"vocab_size", 50432}, {"max_seq_len", 2048}};
  all["pythia-160m"] = {{"model_type", "gpt_neox"}, {"hidden_size", 768},        {"intermediate_size", 3072},
                        {"num_hidden_layers", 12},  {"num_attention_heads", 12}, {"vocab_size", 50304}};
  all["phi-2"] = {{"model_type", "phi"},     {"hidden_size", 2560},       {"intermediate_size", 10240},
                  {"num_hidden_layers", 32}, {"num_attention_heads", 32}, {"vocab_size", 51200}};
  all["falcon-7b"] = {{"model_type", "falcon"},    {"hidden_size", 4544}, {"num_hidden_layers", 32},
                      {"num_attention_heads", 71}, {"vocab_size", 65024}, {"multi_query", true},
                      {"parallel_attn", true},     {"bias", false}};
  all["starcoder2-3b"] = config_of("Starcoder2ForCausalLM", "starcoder2", 3072, 12288, 30, 24, 2, 49152, 16384,
                                   {{"sliding_window", 4096}, {"use_bias", true}});
  all["stablelm-2-1_6b"] = config_of("StableLmForCausalLM", "stablelm", 2048, 5632, 24, 32, 32, 100352, 4096,
                                     {{"use_qkv_bias", true}, {"tie_word_embeddings", false}});
  all["command-r"] = config_of("CohereForCausalLM", "cohere", 8192, 22528, 40, 64, 64, 256000, 8192);
  all["GLM-4-9B"] = config_of("Glm4ForCausalLM", "glm4", 4096, 13696, 40, 32, 2, 151552, 32768,
                              {{"attention_bias", true}, {"head_dim", 128}, {"tie_word_embeddings", false}});
  all["SmolLM3-3B"] = config_of("SmolLM3ForCausalLM", "smollm3", 2048, 11008, 36, 16, 4, 128256, 65536);
  all["granite-3.1-2b"] =
      config_of("GraniteForCausalLM", "granite", 2048, 8192, 40, 32, 8, 49155, 131072, {{"tie_word_embeddings", true}});
  all["OLMo-2-7B"] =
      config_of("Olmo2ForCausalLM", "olmo2", 4096, 11008, 32, 32, 32, 100352, 4096, {{"tie_word_embeddings", false}});
  all["a stranger"] = config_of("StrangerForCausalLM", "stranger", 4096, 14336, 32, 32, 8, 128256, 131072);
  return all;
}

}  // namespace made
