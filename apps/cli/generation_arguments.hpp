// What run and chat share: the options of an answer, and how it is shown.
#pragma once

#include "common.hpp"
#include "nibble/generate.hpp"

namespace nibble::cli {

struct GenerationArguments {
  std::string model, system, kv_cache = "stored", cpu_target;
  std::vector<std::string> stop;
  std::int64_t new_tokens = 128, context = 0;
  // Unset ones follow the model's generation_config.json.
  std::optional<float> temperature, top_p, min_p, repetition_penalty;
  std::optional<int> top_k;
  bool show_thinking = false, hide_thinking = false, no_thinking = false, raw = false;
  PrecisionArguments held;

  // For the chat template; without a wish it decides itself.
  std::optional<bool> thinking() const { return no_thinking ? std::optional(false) : std::nullopt; }
};

void add_generation(CLI::App& verb, GenerationArguments& arguments, Common& common);
Result<Model> load(const GenerationArguments& arguments, const Common& common, std::int64_t batch);
GenerateOptions generation(const Model& model, const GenerationArguments& arguments, const Common& common);

// The model's words: control characters as escapes, unless --raw asks for the bytes.
void print_answer(const GenerationArguments& arguments, const std::string& text);
std::string without_thinking(const std::string& text, bool begins_inside);
// Why an answer is no longer: "end of text", "cut at 128 tokens, -n N allows more".
std::string why_it_ended(const Generation& generation, const GenerationArguments& arguments);
// "bf16", "nf4 decoded from Q4_1".
std::string held_as(const Model& model);

}  // namespace nibble::cli
