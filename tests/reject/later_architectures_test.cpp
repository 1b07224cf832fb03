// Architectures that come later: running them is refused by name, inspecting and estimating them works. Parameter
// counts are those that the models' cards or the safetensors indices publish.
#include "../made/made_files.hpp"
#include "nibble/estimate.hpp"
#include "nibble/generate.hpp"
#include "refused.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using made::Json;

struct Case {
  const char* name;
  Json config;
  std::uint64_t parameters;
};

// Values of config.json as published; what says nothing about sizes is left out.
const std::vector<Case> cases = {
    {"gemma-2b",
     {{"architectures", {"GemmaForCausalLM"}},
      {"model_type", "gemma"},
      {"hidden_size", 2048},
      {"intermediate_size", 16384},
      {"num_hidden_layers", 18},
      {"num_attention_heads", 8},
      {"num_key_value_heads", 1},
      {"head_dim", 256},
      {"vocab_size", 256000},
      {"max_position_embeddings", 8192},
      {"torch_dtype", "bfloat16"}},
     2506172416},
    {"gemma-2-2b",
     {{"architectures", {"Gemma2ForCausalLM"}},
      {"model_type", "gemma2"},
      {"hidden_size", 2304},
      {"intermediate_size", 9216},
      {"num_hidden_layers", 26},
      {"num_attention_heads", 8},
      {"num_key_value_heads", 4},
      {"head_dim", 256},
      {"vocab_size", 256000},
      {"max_position_embeddings", 8192},
      {"torch_dtype", "float32"}},
     2614341888},
    {"Phi-3-mini-4k-instruct",
     {{"architectures", {"Phi3ForCausalLM"}},
      {"model_type", "phi3"},
      {"hidden_size", 3072},
      {"intermediate_size", 8192},
      {"num_hidden_layers", 32},
      {"num_attention_heads", 32},
      {"num_key_value_heads", 32},
      {"vocab_size", 32064},
      {"max_position_embeddings", 4096},
      {"tie_word_embeddings", false},
      {"torch_dtype", "bfloat16"}},
     3821079552},
    {"Mixtral-8x7B-v0.1",
     {{"architectures", {"MixtralForCausalLM"}},
      {"model_type", "mixtral"},
      {"hidden_size", 4096},
      {"intermediate_size", 14336},
      {"num_hidden_layers", 32},
      {"num_attention_heads", 32},
      {"num_key_value_heads", 8},
      {"num_local_experts", 8},
      {"num_experts_per_tok", 2},
      {"vocab_size", 32000},
      {"max_position_embeddings", 32768},
      {"tie_word_embeddings", false},
      {"torch_dtype", "bfloat16"}},
     46702792704},
    {"Qwen3-30B-A3B",
     {{"architectures", {"Qwen3MoeForCausalLM"}},
      {"model_type", "qwen3_moe"},
      {"hidden_size", 2048},
      {"intermediate_size", 6144},
      {"moe_intermediate_size", 768},
      {"num_hidden_layers", 48},
      {"num_attention_heads", 32},
      {"num_key_value_heads", 4},
      {"head_dim", 128},
      {"num_experts", 128},
      {"num_experts_per_tok", 8},
      {"vocab_size", 151936},
      {"max_position_embeddings", 40960},
      {"tie_word_embeddings", false},
      {"torch_dtype", "bfloat16"}},
     30532122624},
};

TEST(LaterArchitectures, AreRefusedByNameAndStillInspectedAndEstimated) {
  const made::Folder folder("later");
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string architecture = c.config["architectures"][0];
    made::write(folder / "config.json", c.config.dump());
    const auto described = Model::inspect(folder / "config.json");
    ASSERT_TRUE(described) << described.error().message;
    EXPECT_FALSE(described->runs);
    EXPECT_EQ(described->architecture, architecture);
    EXPECT_NE(described->why_not.find(architecture), std::string::npos) << described->why_not;
    EXPECT_EQ(described->parameters, c.parameters);

    const auto estimated = estimate(folder.path(), {});
    ASSERT_TRUE(estimated) << estimated.error().message;
    EXPECT_EQ(estimated->parameters, c.parameters);
    for (const PrecisionEstimate& e : estimated->precisions)
      if (e.precision.format == Precision::bf16) {
        EXPECT_EQ(e.bytes[Purpose::linear_weights] + e.bytes[Purpose::embeddings] + e.bytes[Purpose::norms] / 2,
                  2 * c.parameters);
      }

    made::write(folder / "model.safetensors", made::bf16_file(made::llama_tensors()));
    expect_refused(Model::load(folder.path()), Errc::unsupported, {architecture, "inspect", "estimate"});
    fs::remove(folder / "model.safetensors");
  }
}

TEST(LaterArchitectures, AConfigThatClaimsMoreThanAnyModelIsRefused) {
  const made::Folder folder("later-absurd");
  for (const auto& [key, value] : {std::pair{"num_experts", 1 << 20},
                                   {"hidden_size", 1 << 28},
                                   {"num_hidden_layers", 1 << 20},
                                   {"moe_intermediate_size", 1 << 28},
                                   {"head_dim", 1 << 28},
                                   {"num_attention_heads", 0}}) {
    Json config = cases.back().config;
    config[key] = value;
    made::write(folder / "config.json", config.dump());
    const auto refused = estimate(folder.path(), {});
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(int(refused.error().code), int(Errc::corrupt_file)) << refused.error().message;
  }
}

}  // namespace
}  // namespace nibble
