// GGUF files of every type that Nibble decodes and every architecture that it runs: weights are those of the gguf
// package bit for bit, logits those of transformers in float64 on the decoded weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../made/made_files.hpp"
#include "golden_tensors.hpp"

namespace nibble {
namespace {

const std::string folder = std::string(NIBBLE_SOURCE_DIR) + "/tests/golden/gguf/";

// "q4_1" of "llama_q4_1".
std::string type_of(const std::string& name) { return name.substr(name.find('_') + 1); }

class GgufModel : public testing::TestWithParam<const char*> {
 protected:
  const std::string path = folder + GetParam() + ".gguf";
  const GoldenTensors expected{std::string("gguf/") + GetParam() + ".expected.safetensors"};
  const std::string type = type_of(GetParam());
  const bool held_in_place = type != "f32" && type != "f16" && type != "bf16";
};

TEST_P(GgufModel, DecodesToTheValuesOfTheGgufPackage) {
  const auto checkpoint = Checkpoint::open(path);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  for (const char* name : {"self_attn.q_proj", "mlp.down_proj"}) {
    const CheckpointTensor* tensor = (*checkpoint)->find("model.layers.0." + std::string(name) + ".weight");
    ASSERT_TRUE(tensor);
    const std::vector<float> theirs = expected.get<float>(std::strchr(name, '.') + 1);
    ASSERT_EQ(tensor->elements(), theirs.size());
    std::vector<float> whole(theirs.size()), pieces(theirs.size());
    tensor->read(0, std::int64_t(whole.size()), whole.data());
    EXPECT_EQ(whole, theirs);
    // Pieces of any length that begin inside blocks and rows.
    for (std::int64_t first = 0, all = std::int64_t(pieces.size()); first < all; first += 37)
      tensor->read(first, std::min<std::int64_t>(37, all - first), pieces.data() + first);
    EXPECT_EQ(pieces, theirs);
  }
}

TEST_P(GgufModel, GivesTheLogitsOfTransformers) {
  // Decoded to fp32, and as the file has it: blocks that kernels compute with lose nothing either.
  for (const auto& [target, precision] :
       {std::pair{"reference", Precision::fp32}, {"", Precision::fp32}, {"", Precision::stored}}) {
    LoadOptions options;
    options.precision = precision;
    options.precision.compute_dtype = Precision::fp32;
    options.cpu_target = target;
    auto loaded = load_model(path, options);
    ASSERT_TRUE(loaded) << loaded.error().message;
    LoadedModel& model = **loaded;
    const std::vector<std::int64_t> ids = expected.get<std::int64_t>("input_ids");
    const std::vector<float> logits = expected.get<float>("logits");
    const std::size_t vocabulary = std::size_t(model.transformer->config().vocab_size), length = ids.size() / 2;
    ASSERT_EQ(logits.size(), ids.size() * vocabulary);
    Deviation deviation;
    for (std::size_t s = 0; s < 2; ++s) {
      const std::vector<std::int32_t> tokens(ids.begin() + std::ptrdiff_t(s * length),
                                             ids.begin() + std::ptrdiff_t((s + 1) * length));
      KvCache cache =
          KvCache::create(model.transformer->config(), *model.backend, DType::f32, std::int64_t(length)).value();
      const Slice slice{&cache, tokens, LogitsOf::all};
      std::size_t at = s * length * vocabulary;
      ASSERT_TRUE(model.transformer->forward({&slice, 1}, [&](std::size_t, std::int64_t, std::span<const float> row) {
        for (const float x : row) deviation.add(x, logits[at++]);
      }));
      ASSERT_EQ(at, (s + 1) * length * vocabulary);
    }
    expect_as_near_as_fp32(deviation, expected.get<float>("fp32_error"));
  }
}

TEST_P(GgufModel, IsRunAsStored) {
  const auto loaded = load_model(path, {});
  ASSERT_TRUE(loaded) << loaded.error().message;
  const MemoryReport memory = (*loaded)->memory();
  std::uint64_t in_order = 0;
  for (const ModuleSpec& module : list_modules((*loaded)->transformer->config()))
    if (module.cols > 0) {
      const CheckpointTensor* tensor = (*loaded)->checkpoint->find(module.name);
      if (tensor->rope_heads == 0) in_order += tensor->bytes.size();
    }
  std::string upper = type;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return char(std::toupper(c)); });
  EXPECT_EQ((*loaded)->converted_from(), "");
  EXPECT_EQ((*loaded)->held_as(), held_in_place ? upper : type == "f32" ? "fp32" : type == "f16" ? "fp16" : "bf16");
  // Only q and k may have to be put in order; everything else is computed with where the file is mapped.
  EXPECT_EQ(memory.mapped, in_order);
  std::uint64_t stored = 0;
  for (const CheckpointTensor& tensor : (*loaded)->checkpoint->tensors())
    if (tensor.shape.size() == 2) stored += tensor.bytes.size();
  EXPECT_EQ(memory[Purpose::linear_weights] + memory[Purpose::embeddings], stored);
}

// Blocks that no kernel computes with, MXFP4's.
TEST(GgufModels, OtherBlocksAreDecodedAndSaidToBe) {
  const made::Folder made_here("gguf-decoded");
  made::Gguf file = made::llama_gguf();
  std::uint64_t elements = 0;
  for (made::Gguf::Tensor& tensor : file.tensors)
    if (tensor.shape.size() == 2) {
      const std::uint64_t count = tensor.shape[0] * tensor.shape[1];
      tensor.type = 39;
      tensor.data.clear();
      elements += count;
      for (std::uint64_t i = 0; i < count / 32 * 17; ++i) tensor.data += char(i % 17 == 0 ? 120 : i * 37);
    }
  made::write(made_here / "model.gguf", file.bytes());
  const auto loaded = load_model(made_here / "model.gguf", {});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ((*loaded)->converted_from(), "MXFP4");
  EXPECT_EQ((*loaded)->held_as(), "bf16");
  const MemoryReport memory = (*loaded)->memory();
  EXPECT_EQ(memory.mapped, 0u) << "decoded weights are in memory of their own, and counted there";
  EXPECT_EQ(memory[Purpose::linear_weights] + memory[Purpose::embeddings], 2 * elements);
}

INSTANTIATE_TEST_SUITE_P(EveryOne, GgufModel,
                         testing::Values("llama_f32", "llama_f16", "llama_bf16", "llama_q8_0", "llama_q4_0",
                                         "llama_q4_1", "llama_q5_0", "llama_q5_1", "llama3_q8_0", "qwen2_q4_1",
                                         "qwen3_q4_0"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace nibble
