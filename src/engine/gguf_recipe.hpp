// Which ggml type each tensor of a file gets: a pure type everywhere, or one of llama.cpp's mixes.
#pragma once

#include <optional>

#include "io/ggml/ggml_types.hpp"
#include "models/modules.hpp"
#include "nibble/precision.hpp"

namespace nibble {

struct GgufRecipe {
  std::string_view name;  // "q4_k_m"
  std::string_view base;  // type of most matrices: "Q4_K"
  std::uint32_t number;   // what "general.file_type" says
  bool mix = false;       // sensitive tensors get more bits, and rows that do not fit another type
};

// "q4_k", "q4_k_m", "bf16". Nullptr: there is none of that name.
const GgufRecipe* gguf_recipe(std::string_view name);
std::string gguf_recipe_names();  // for messages: "f32, f16, ..."

// What a mix takes where a row is no whole number of the type's blocks of 256; a type with blocks of 32 stays.
std::string_view smaller_blocks(std::string_view type);

// What an estimate asks for with `stored` and a file_type, in either case: "Q4_K_M". Nullptr: it does not.
const GgufRecipe* recipe_of(const QuantizationConfig& precision);

// The type of this matrix of a model of these sizes. A mix falls back as llama.cpp does, down to F16; a
// pure type whose blocks do not fill a row is an error that says so.
Result<const GgmlType*> gguf_matrix_type(const GgufRecipe& recipe, const ModelShape& shape, std::string_view model_type,
                                         const ModuleSpec& matrix);

}  // namespace nibble
