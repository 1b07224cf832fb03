// Source of the numbers: llama_ftype in llama.h.
#include "engine/gguf_file_type.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "engine/gguf_recipe.hpp"
#include "models/part_names.hpp"

namespace nibble {
namespace {

struct FileType {
  std::int64_t number;
  std::string_view name, base;  // base: type of most of its matrices
};
constexpr FileType mixes[] = {
    {10, "Q2_K", "Q2_K"},     {11, "Q3_K_S", "Q3_K"},     {12, "Q3_K_M", "Q3_K"},   {13, "Q3_K_L", "Q3_K"},
    {14, "Q4_K_S", "Q4_K"},   {15, "Q4_K_M", "Q4_K"},     {16, "Q5_K_S", "Q5_K"},   {17, "Q5_K_M", "Q5_K"},
    {18, "Q6_K", "Q6_K"},     {19, "IQ2_XXS", "IQ2_XXS"}, {20, "IQ2_XS", "IQ2_XS"}, {21, "Q2_K_S", "Q2_K"},
    {22, "IQ3_XS", "IQ3_S"},  {23, "IQ3_XXS", "IQ3_XXS"}, {24, "IQ1_S", "IQ1_S"},   {25, "IQ4_NL", "IQ4_NL"},
    {26, "IQ3_S", "IQ3_S"},   {27, "IQ3_M", "IQ3_S"},     {28, "IQ2_S", "IQ2_XS"},  {29, "IQ2_M", "IQ2_S"},
    {30, "IQ4_XS", "IQ4_XS"}, {31, "IQ1_M", "IQ1_M"},     {36, "TQ1_0", "TQ1_0"},   {37, "TQ2_0", "TQ2_0"},
    {38, "MXFP4", "MXFP4"},   {2, "Q4_0", "Q4_0"},        {3, "Q4_1", "Q4_1"},      {7, "Q8_0", "Q8_0"},
    {8, "Q5_0", "Q5_0"},      {9, "Q5_1", "Q5_1"},
};

// Types of the linear layers with their bytes, most bytes first.
std::vector<std::pair<std::string, std::uint64_t>> linear_types(const Checkpoint& checkpoint) {
  std::vector<std::pair<std::string, std::uint64_t>> types;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    const Part part = part_of(tensor.name);
    if (tensor.shape.size() < 2 || part == Part::embedding || part == Part::head) continue;
    const auto known =
        std::find_if(types.begin(), types.end(), [&](const auto& type) { return type.first == tensor.type; });
    if (known == types.end())
      types.emplace_back(tensor.type, tensor.bytes.size());
    else
      known->second += tensor.bytes.size();
  }
  std::stable_sort(types.begin(), types.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return types;
}

}  // namespace

std::string gguf_file_type(const Checkpoint& checkpoint) {
  if (!checkpoint.is_gguf()) return {};
  const auto types = linear_types(checkpoint);
  const auto has = [&](std::string_view name) {
    return std::any_of(types.begin(), types.end(), [&](const auto& type) { return type.first == name; });
  };
  if (std::all_of(types.begin(), types.end(),
                  [](const auto& type) { return ggml_type(type.first) && ggml_type(type.first)->block_elements == 1; }))
    return {};
  if (types.size() == 1) return types.front().first;
  if (const auto number = checkpoint.gguf()->integer("general.file_type"))
    for (const FileType& mix : mixes)
      if (mix.number == *number && (has(mix.base) || has(smaller_blocks(mix.base))))
        return fmt::format("{} (mixed)", mix.name);
  std::string names;
  for (const auto& [name, bytes] : types) names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace nibble
