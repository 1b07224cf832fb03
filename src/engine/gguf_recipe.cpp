// Source of the mixes and fall-backs: what llama_model_quantize of llama-cpp-python 0.3.36 does to models without
// experts; tests/golden/gguf_mixes holds what it wrote.
#include "engine/gguf_recipe.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "models/part_names.hpp"

namespace nibble {
namespace {

constexpr std::array recipes = {
    GgufRecipe{"f32", "F32", 0},
    GgufRecipe{"f16", "F16", 1},
    GgufRecipe{"bf16", "BF16", 32},
    GgufRecipe{"q8_0", "Q8_0", 7},
    GgufRecipe{"q4_0", "Q4_0", 2},
    GgufRecipe{"q4_1", "Q4_1", 3},
    GgufRecipe{"q5_0", "Q5_0", 8},
    GgufRecipe{"q5_1", "Q5_1", 9},
    GgufRecipe{"q4_k", "Q4_K", 14},
    GgufRecipe{"q5_k", "Q5_K", 16},
    GgufRecipe{"q6_k", "Q6_K", 18},
    GgufRecipe{"iq4_nl", "IQ4_NL", 25},
    GgufRecipe{"q4_k_s", "Q4_K", 14, true},
    GgufRecipe{"q4_k_m", "Q4_K", 15, true},
    GgufRecipe{"q5_k_s", "Q5_K", 16, true},
    GgufRecipe{"q5_k_m", "Q5_K", 17, true},
};

// The first and last eighth of the layers, and every third between.
bool gets_more_bits(std::int64_t layer, std::int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

// Where ggml's loader sees a model of 70 billion weights, whose v projections are small.
bool counts_as_70b(const ModelShape& shape, std::string_view model_type) {
  return shape.layers == 80 && ((model_type == "qwen2") || (model_type != "qwen3" && shape.heads != shape.kv_heads));
}

std::string_view type_in_mix(const GgufRecipe& recipe, const ModelShape& shape, std::string_view model_type,
                             const ModuleSpec& matrix) {
  if (matrix.part == Part::head || (matrix.part == Part::embedding && shape.tied_embeddings))
    return matrix.cols % ggml_type(recipe.base)->block_elements != 0 ? "Q8_0" : "Q6_K";
  const bool v = matrix.part == Part::v, down = matrix.part == Part::down;
  const std::int64_t layer = matrix.layer;
  const bool medium = recipe.name.ends_with("_m");
  std::string_view type = recipe.base;
  if (medium && (v || down) && gets_more_bits(layer, shape.layers)) type = "Q6_K";
  if (recipe.name == "q4_k_s" && ((v && layer < 4) || (down && layer < shape.layers / 8))) type = "Q5_K";
  if (v && type == "Q4_K" && counts_as_70b(shape, model_type)) type = "Q5_K";
  return type;
}

bool fits(std::string_view type, std::int64_t cols) { return cols % ggml_type(type)->block_elements == 0; }

}  // namespace

std::string_view smaller_blocks(std::string_view type) {
  return type == "Q4_K" ? "Q5_0" : type == "Q5_K" ? "Q5_1" : type == "Q6_K" ? "Q8_0" : type;
}

const GgufRecipe* gguf_recipe(std::string_view name) {
  for (const GgufRecipe& recipe : recipes)
    if (recipe.name == name) return &recipe;
  return nullptr;
}

std::string gguf_recipe_names() {
  std::string names;
  for (const GgufRecipe& recipe : recipes) names += (names.empty() ? "" : ", ") + std::string(recipe.name);
  return names;
}

const GgufRecipe* recipe_of(const QuantizationConfig& precision) {
  if (precision.format != Precision::stored) return nullptr;
  std::string name = precision.file_type;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return gguf_recipe(name);
}

Result<const GgmlType*> gguf_matrix_type(const GgufRecipe& recipe, const ModelShape& shape, std::string_view model_type,
                                         const ModuleSpec& matrix) {
  const std::int64_t cols = matrix.cols;
  if (!recipe.mix) {
    if (!fits(recipe.base, cols))
      return error(Errc::unsupported,
                   "tensor \"{}\" has rows of {}, which are not whole blocks of {} {}; {} gives such rows another type",
                   gguf_name(matrix.name), cols, ggml_type(recipe.base)->block_elements, recipe.base,
                   cols % 32 == 0 ? "q4_k_m or q5_k_m, or a type with blocks of 32," : "q4_k_m, q5_k_m, f16 or bf16");
    return ggml_type(recipe.base);
  }
  std::string_view type = type_in_mix(recipe, shape, model_type, matrix);
  if (!fits(type, cols)) type = smaller_blocks(type);
  if (!fits(type, cols)) type = "F16";
  return ggml_type(type);
}

}  // namespace nibble
