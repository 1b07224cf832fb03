// Tensors that no module claims would change what a model computes, so they are refused by name, in a folder as in a
// GGUF file; but for those that transformers passes over, and what the user vouches for.
#include "../conformance/golden_tensors.hpp"
#include "../made/made_files.hpp"
#include "nibble/quantize.hpp"
#include "refused.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

class TensorsWithoutAPlace : public testing::Test {
 protected:
  TensorsWithoutAPlace() : folder("without-a-place"), model(folder / "model"), out(folder / "out") {
    made::write_llama(model);
  }
  void write(const std::vector<made::NamedShape>& more) {
    auto tensors = made::llama_tensors();
    tensors.insert(tensors.end(), more.begin(), more.end());
    made::write(model / "model.safetensors", made::bf16_file(tensors));
  }
  void change(const made::Json& changes) {
    made::Json config = made::llama_config();
    config.merge_patch(changes);
    made::write(model / "config.json", config.dump());
  }
  Result<QuantizeReport> quantize(const std::vector<std::string>& ignored = {}) {
    said.clear();
    QuantizeCheckpointOptions options;
    options.precision = QuantizationConfig(Precision::fp32);
    options.ignore_tensors = ignored;
    options.say = [&](const std::string& sentence) { said += sentence + "\n"; };
    return quantize_checkpoint(model, out, options);
  }

  made::Folder folder;
  const fs::path model, out;
  const std::string layer = "model.layers.0.";
  std::string said;
};

TEST_F(TensorsWithoutAPlace, AreRefusedByNameWhenLoadingAndWhenWritingACopy) {
  const std::vector<std::vector<made::NamedShape>> strays = {
      {{layer + "self_attn.q_norm.weight", {16}}, {layer + "self_attn.k_norm.weight", {16}}},  // another architecture
      {{layer + "self_attn.q_proj.bias", {32}}},                                               // the config denies it
      {{"lm_head.bias", {48}}},
      {{layer + "mlp.foo.weight", {8, 8}}},
      {{"model.layers.x.mlp.up_proj.weight", {64, 32}}},
      {{layer + "mlp.foo.weight.absmax", {64}}}};  // of a weight that is not there
  for (const auto& stray : strays) {
    write(stray);
    const Words words = {model.string(), "\"" + stray[0].name + "\" has no place in LlamaForCausalLM",
                         "--ignore-tensors"};
    expect_refused(load_model(model, {}), Errc::unsupported, words);
    expect_refused(quantize(), Errc::unsupported, words);
    EXPECT_FALSE(fs::exists(out));
  }
}

TEST_F(TensorsWithoutAPlace, WhatTransformersPassesOverIsLeftOutAndACopySaysSo) {
  write({{layer + "self_attn.rotary_emb.inv_freq", {8}},
         {"model.position_ids", {64}},
         {"model.layers.1.mlp.up_proj.weight", {64, 32}},  // num_hidden_layers is 1
         {"model.layers.12.self_attn.q_proj.bias", {32}}});
  EXPECT_TRUE(load_model(model, {}));
  const auto written = quantize();
  ASSERT_TRUE(written) << written.error().message;
  for (const char* word : {"4 tensors", "left out", "rotary_emb.inv_freq"})
    EXPECT_NE(said.find(word), std::string::npos) << said;
}

TEST_F(TensorsWithoutAPlace, WhatTheUserVouchesForIsLeftOut) {
  write({{"model.vision.weight", {4, 4}}, {layer + "mlp.foo.weight", {8, 8}}});
  LoadOptions options;
  options.ignore_tensors = {"vision"};
  expect_refused(load_model(model, options), Errc::unsupported, {"mlp.foo.weight"});
  options.ignore_tensors = {"vision", R"(\.foo\.)"};
  EXPECT_TRUE(load_model(model, options));
  ASSERT_TRUE(quantize(options.ignore_tensors));
  EXPECT_NE(said.find("model.vision.weight"), std::string::npos) << said;
  options.ignore_tensors = {"("};
  expect_refused(load_model(model, options), Errc::bad_request, {"\"(\"", "pattern"});
}

// transformers 5 ties only what is equal, whatever the config says: the logits are those that it computed untied.
TEST_F(TensorsWithoutAPlace, AStoredHeadThatDiffersFromATiedEmbeddingIsUsedAndCopied) {
  const fs::path golden = NIBBLE_SOURCE_DIR "/tests/golden/models/qwen3_untied";
  fs::remove_all(model);
  fs::copy(golden, model, fs::copy_options::recursive);
  made::Json config = made::Json::parse(made::read(model / "config.json"));
  ASSERT_FALSE(config["tie_word_embeddings"].get<bool>());
  config["tie_word_embeddings"] = true;
  made::write(model / "config.json", config.dump());
  const GoldenTensors expected("models/qwen3_untied.expected.safetensors");
  const auto tokens = expected.get<std::int64_t>("input_ids");
  const std::vector<std::int32_t> ids(tokens.begin(), tokens.begin() + std::ptrdiff_t(tokens.size() / 2));
  const std::vector<float> logits = expected.get<float>("logits");
  const auto check = [&](const fs::path& path, const std::string& told) {
    LoadOptions options;
    options.precision = Precision::fp32;
    std::string said_of_load;
    options.say = [&](const std::string& sentence) { said_of_load += sentence; };
    auto loaded = load_model(path, options);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(said_of_load.find("lm_head.weight") != std::string::npos, !told.empty()) << said_of_load;
    LoadedModel& untied = **loaded;
    KvCache cache =
        KvCache::create(untied.transformer->config(), *untied.backend, DType::f32, std::int64_t(ids.size())).value();
    const Slice slice{&cache, ids, LogitsOf::all};
    Deviation deviation;
    std::size_t at = 0;
    ASSERT_TRUE(untied.transformer->forward({&slice, 1}, [&](std::size_t, std::int64_t, std::span<const float> row) {
      for (const float value : row) deviation.add(value, logits[at++]);
    }));
    expect_as_near_as_fp32(deviation, expected.get<float>("fp32_error"));
  };
  check(model, "says so");
  ASSERT_TRUE(quantize());
  EXPECT_NE(said.find("the stored head is used"), std::string::npos) << said;
  check(out, "");
}

TEST_F(TensorsWithoutAPlace, AStoredHeadThatEqualsATiedEmbeddingIsTied) {
  const std::string embedding = made::bf16_values(48 * 32, 1);  // as the first tensor has it
  auto tensors = made::llama_tensors();
  tensors.push_back({"lm_head.weight", {48, 32}});
  std::string file = made::bf16_file(tensors);
  file.replace(file.size() - embedding.size(), embedding.size(), embedding);
  made::write(model / "model.safetensors", file);
  const auto loaded = load_model(model, {});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_TRUE((*loaded)->transformer->config().tied_embeddings);
  file.back() = char(file.back() ^ 0x20);
  made::write(model / "model.safetensors", file);
  const auto untied = load_model(model, {});
  ASSERT_TRUE(untied) << untied.error().message;
  EXPECT_FALSE((*untied)->transformer->config().tied_embeddings) << "one bit decides";
}

}  // namespace
}  // namespace nibble
