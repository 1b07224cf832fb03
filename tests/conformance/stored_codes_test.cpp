// Folders in bitsandbytes' layout, as its settings vary them: the dtype under which codes lie, a table of the file's
// own, tied weights, shards with an index.
#include <gtest/gtest.h>

#include <cstring>

#include "../made/made_files.hpp"
#include "models/checkpoint.hpp"
#include "nibble/quantize.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

class StoredCodes : public testing::Test {
 protected:
  StoredCodes() : folder("stored-codes"), source(folder / "model") {
    fs::create_directory(source);
    made::write(source / "config.json", made::llama_config().dump());
    made::write(source / "model.safetensors", made::bf16_file(made::llama_tensors()));
  }
  std::shared_ptr<Checkpoint> converted(const fs::path& from, const std::string& name,
                                        QuantizeCheckpointOptions options) {
    options.threads = 2;
    const auto report = quantize_checkpoint(from, folder / name, options);
    EXPECT_TRUE(report) << report.error().message;
    auto opened = Checkpoint::open(folder / name);
    EXPECT_TRUE(opened) << opened.error().message;
    return *opened;
  }
  static bool same_bytes(const CheckpointTensor& a, const CheckpointTensor& b) {
    return std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end());
  }

  made::Folder folder;
  const fs::path source;
};

TEST_F(StoredCodes, UnderEveryDtypeTheyAreTheSameBytesAndStaySo) {
  const auto plain = converted(source, "uint8", {.precision = QuantizationConfig::nf4()});
  for (const auto& [name, type, size] :
       {std::tuple{"float16", "F16", 2}, {"bfloat16", "BF16", 2}, {"float32", "F32", 4}, {"uint8", "U8", 1}}) {
    SCOPED_TRACE(name);
    QuantizeCheckpointOptions options{.precision = QuantizationConfig::nf4(), .quant_storage = name};
    const auto stored = converted(source, std::string("as-") + name, options);
    EXPECT_EQ(stored->config()["quantization_config"]["bnb_4bit_quant_storage"], name);
    options.quant_storage.clear();  // the source's
    const auto again = converted(folder / (std::string("as-") + name), std::string("again-") + name, options);
    EXPECT_EQ(again->config()["quantization_config"]["bnb_4bit_quant_storage"], name);
    ASSERT_EQ(stored->tensors().size(), plain->tensors().size());
    for (const CheckpointTensor& tensor : plain->tensors()) {
      const CheckpointTensor *one = stored->find(tensor.name), *two = again->find(tensor.name);
      ASSERT_TRUE(one && two) << tensor.name;
      const bool codes = tensor.name.ends_with("_proj.weight");
      EXPECT_EQ(one->type, codes ? type : tensor.type) << tensor.name;
      EXPECT_TRUE(same_bytes(*one, tensor) && same_bytes(*two, tensor)) << tensor.name;
      EXPECT_EQ(one->type, two->type);
      EXPECT_EQ(one->shape, two->shape);
      const std::vector<std::int64_t> shape = {std::int64_t(tensor.bytes.size()) / size, 1};
      EXPECT_EQ(one->shape, codes ? shape : tensor.shape);
    }
  }
  for (QuantizeCheckpointOptions wrong :
       {QuantizeCheckpointOptions{.precision = QuantizationConfig::nf4(), .quant_storage = "float8"},
        QuantizeCheckpointOptions{.precision = QuantizationConfig(Precision::int8), .quant_storage = "bfloat16"}}) {
    const auto refused = quantize_checkpoint(source, folder / "refused", wrong);
    ASSERT_FALSE(refused);
    EXPECT_EQ(int(refused.error().code), int(Errc::bad_request)) << refused.error().message;
    EXPECT_FALSE(fs::exists(folder / "refused") || fs::exists(folder / "refused.partial"));
  }
}

// With every value of every table halved, which is exact, the weights are halves.
TEST_F(StoredCodes, AFilesOwnTableIsComputedWithAndNeverPassedOnUnderTheName) {
  const auto plain = converted(source, "nf4", {.precision = QuantizationConfig::nf4()});
  fs::copy(folder / "nf4", folder / "halved");
  std::string bytes = made::read(folder / "halved/model.safetensors");
  const auto begin = reinterpret_cast<const char*>(plain->files()[0]->bytes().data());
  for (const CheckpointTensor& tensor : plain->tensors()) {
    if (!tensor.name.ends_with(".quant_map")) continue;
    for (std::size_t i = 0; i < 16; ++i) {
      float value = 0;
      char* at = bytes.data() + (reinterpret_cast<const char*>(tensor.bytes.data()) - begin) + 4 * i;
      std::memcpy(&value, at, 4);
      value /= 2;
      std::memcpy(at, &value, 4);
    }
  }
  made::write(folder / "halved/model.safetensors", bytes);
  const auto whole = converted(folder / "nf4", "whole-fp32", {.precision = QuantizationConfig(Precision::fp32)}),
             half = converted(folder / "halved", "half-fp32", {.precision = QuantizationConfig(Precision::fp32)});
  int matrices = 0;
  for (const CheckpointTensor& tensor : whole->tensors()) {
    const float share = tensor.name.ends_with("_proj.weight") ? 0.5f : 1.0f;
    matrices += share == 0.5f;
    std::vector<float> one(tensor.elements()), two(tensor.elements());
    tensor.read(0, std::int64_t(one.size()), one.data());
    half->find(tensor.name)->read(0, std::int64_t(two.size()), two.data());
    for (std::size_t i = 0; i < one.size(); ++i) ASSERT_EQ(two[i], share * one[i]) << tensor.name << " " << i;
  }
  EXPECT_EQ(matrices, 7);

  QuantizeCheckpointOptions nf4{.precision = QuantizationConfig::nf4()};
  const auto refused = quantize_checkpoint(folder / "halved", folder / "new", nf4);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("nf4 in another form"), std::string::npos) << refused.error().message;
  nf4.allow_requantize = true;
  const auto again = converted(folder / "halved", "new", nf4);
  for (const CheckpointTensor& tensor : plain->tensors())
    EXPECT_TRUE(!tensor.name.ends_with(".quant_map") || same_bytes(*again->find(tensor.name), tensor)) << tensor.name;
}

// transformers wrote the folders of these models in three shards each. Which tensor lies in which differs, because a
// quantized weight stays whole; everything else about the index does not.
TEST_F(StoredCodes, AnIndexHasTheFormOfTransformers) {
  for (const char* name : {"mistral", "qwen3"}) {
    const fs::path golden = fs::path(NIBBLE_SOURCE_DIR "/tests/golden/models") / name;
    QuantizeCheckpointOptions options{.precision = QuantizationConfig(Precision::bf16)};
    options.shard_bytes = 60000;
    converted(golden, name, options);
    const std::string theirs = made::read(golden / "model.safetensors.index.json"),
                      ours = made::read(folder / name / "model.safetensors.index.json");
    const Json theirs_json = Json::parse(theirs), ours_json = Json::parse(ours);
    ASSERT_EQ(theirs_json.dump(2) + "\n", theirs) << "the form of the text";
    EXPECT_EQ(ours_json.dump(2) + "\n", ours);
    EXPECT_EQ(ours_json["metadata"], theirs_json["metadata"]);
    ASSERT_EQ(ours_json["weight_map"].size(), theirs_json["weight_map"].size());
    std::map<std::string, std::uint64_t> sizes;
    const auto opened = Checkpoint::open(folder / name);
    for (const auto& [tensor, file] : ours_json["weight_map"].items()) {
      EXPECT_TRUE(theirs_json["weight_map"].contains(tensor)) << tensor;
      sizes[file] += (*opened)->find(tensor)->bytes.size();
    }
    EXPECT_GE(sizes.size(), 2u);
    for (const auto& [file, size] : sizes) EXPECT_LE(size, options.shard_bytes) << file;
    EXPECT_TRUE(sizes.contains(fmt::format("model-{:05}-of-{:05}.safetensors", sizes.size(), sizes.size())));
  }
}

TEST_F(StoredCodes, ATiedHeadIsStoredOnce) {
  for (const QuantizationConfig& to : {QuantizationConfig::nf4(), QuantizationConfig(Precision::fp32)}) {
    const auto stored = converted(source, to.label(), {.precision = to});
    EXPECT_FALSE(stored->find("lm_head.weight"));
    EXPECT_TRUE(stored->find("model.embed_tokens.weight"));
  }
}

}  // namespace
}  // namespace nibble
