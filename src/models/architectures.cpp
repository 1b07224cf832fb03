#include "models/architectures.hpp"

namespace nibble {
namespace {

constexpr Architecture list[] = {
    {.name = "LlamaForCausalLM",
     .model_type = "llama",
     .gguf = "llama",
     .runs = true,
     .reads_biases = true,
     .default_positions = 2048,
     .gguf_rope_order = true},
    {.name = "MistralForCausalLM",
     .model_type = "mistral",
     .gguf = "llama",
     .runs = true,
     .slides = true,
     .default_kv_heads = 8,
     .default_positions = 131072,
     .gguf_rope_order = true},
    {.name = "Qwen2ForCausalLM",
     .model_type = "qwen2",
     .gguf = "qwen2",
     .runs = true,
     .block = {.qkv_bias = true},
     .may_slide = true,
     .default_kv_heads = 32},
    {.name = "Qwen3ForCausalLM",
     .model_type = "qwen3",
     .gguf = "qwen3",
     .runs = true,
     .block = {.qk_norm = true},
     .reads_biases = true,
     .may_slide = true,
     .default_kv_heads = 32,
     .default_head_dim = 128},
    // Counted only.
    {.name = "GemmaForCausalLM", .model_type = "gemma", .gguf = "gemma", .tied_embeddings = true},
    {.name = "Gemma2ForCausalLM",
     .model_type = "gemma2",
     .gguf = "gemma2",
     .block = {.four_norms = true},
     .tied_embeddings = true},
    {.name = "Gemma3ForCausalLM",
     .model_type = "gemma3_text",
     .gguf = "gemma3",
     .block = {.qk_norm = true, .four_norms = true},
     .tied_embeddings = true},
    {.name = "Gemma3ForConditionalGeneration",
     .model_type = "gemma3",
     .block = {.qk_norm = true, .four_norms = true},
     .tied_embeddings = true},
    {.name = "Phi3ForCausalLM", .model_type = "phi3", .gguf = "phi3", .block = {.fused = true}},
    {.name = "MixtralForCausalLM", .model_type = "mixtral", .gguf = "llama", .has_experts = true},
    {.name = "Qwen2MoeForCausalLM",
     .model_type = "qwen2_moe",
     .gguf = "qwen2moe",
     .block = {.qkv_bias = true},
     .has_experts = true},
    {.name = "Qwen3MoeForCausalLM",
     .model_type = "qwen3_moe",
     .gguf = "qwen3moe",
     .block = {.qk_norm = true},
     .has_experts = true},
    {.name = "GptOssForCausalLM",
     .model_type = "gpt_oss",
     .block = {.qkv_bias = true, .output_bias = true, .sinks = true, .expert_biases = true},
     .has_experts = true}};

}  // namespace

std::span<const Architecture> architectures() { return list; }

const Architecture* architecture_of_type(std::string_view model_type) {
  for (const Architecture& entry : list)
    if (entry.model_type == model_type) return &entry;
  return nullptr;
}

const Architecture* architecture_of_gguf(std::string_view name, bool with_experts) {
  const Architecture* first = nullptr;
  for (const Architecture& entry : list) {
    if (name.empty() || entry.gguf != name) continue;
    if (entry.has_experts == with_experts) return &entry;
    if (!first) first = &entry;
  }
  return first;
}

std::string architecture_names() {
  std::string names;
  for (const Architecture& entry : list)
    if (entry.runs) names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return names;
}

}  // namespace nibble
