// Folders to GGUF and back: the same weights, config, tokenizer and logits.
#include <gtest/gtest.h>

#include <cmath>

#include "../made/made_files.hpp"
#include "golden_tensors.hpp"
#include "nibble/quantize.hpp"
#include "text/tokenizer/model_tokenizer.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;
const fs::path golden = NIBBLE_SOURCE_DIR "/tests/golden";
const fs::path shipped = NIBBLE_SOURCE_DIR "/models/gutenberg-16m";

std::vector<float> logits_of(const fs::path& path) {
  LoadOptions options;
  options.precision = Precision::fp32;
  options.cpu_target = "reference";
  auto loaded = load_model(path, options);
  if (!loaded) {
    ADD_FAILURE() << loaded.error().message;
    return {};
  }
  LoadedModel& model = **loaded;
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(3 + i * 7 % 60);
  KvCache cache = KvCache::create(model.transformer->config(), *model.backend, DType::f32, 20).value();
  const Slice slice{&cache, ids, LogitsOf::all};
  std::vector<float> out;
  EXPECT_TRUE(model.transformer->forward({&slice, 1}, [&](std::size_t, std::int64_t, std::span<const float> row) {
    out.insert(out.end(), row.begin(), row.end());
  }));
  return out;
}

std::vector<float> elements_of(const CheckpointTensor& tensor) {
  std::vector<float> out(tensor.elements());
  tensor.read(0, std::int64_t(out.size()), out.data());
  return out;
}

// The same tensors with the same values, whatever they are stored as.
void same_weights(const fs::path& a, const fs::path& b) {
  const auto left = Checkpoint::open(a).value(), right = Checkpoint::open(b).value();
  for (const CheckpointTensor& tensor : left->tensors()) {
    if (tensor.name == "rope_freqs.weight") continue;
    const CheckpointTensor* other = right->find(tensor.name);
    ASSERT_TRUE(other) << tensor.name;
    EXPECT_EQ(other->shape, tensor.shape) << tensor.name;
    EXPECT_EQ(elements_of(*other), elements_of(tensor)) << tensor.name;
  }
}

Result<QuantizeReport> convert(const fs::path& from, const fs::path& to, const char* type) {
  QuantizeCheckpointOptions options;
  if (to.extension() == ".gguf")
    options.gguf_type = type;
  else
    options.precision = parse_precision(type).value();
  return quantize_checkpoint(from, to, options);
}

// Letters and a few pairs, in as many tokens as the golden models have rows.
void write_tokenizer(const fs::path& folder) {
  made::Json vocabulary = made::Json::object();
  for (int i = 0; i < 58; ++i) vocabulary[std::string(1, char('A' + i))] = i;
  vocabulary["th"] = 58;
  vocabulary["the"] = 59;
  const made::Json tokenizer = {
      {"version", "1.0"},
      {"added_tokens", {{{"id", 60}, {"content", "<|end|>"}, {"special", true}}}},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"t h", "th e"}}}}};
  made::write(folder / "tokenizer.json", tokenizer.dump());
  made::write(folder / "tokenizer_config.json", R"({"eos_token": "<|end|>", "chat_template": "{{ messages }}"})");
}

class EveryArchitecture : public testing::TestWithParam<const char*> {};

TEST_P(EveryArchitecture, GoesToGgufAndBackWithTheSameWeightsAndLogits) {
  const made::Folder folder("gguf-round");
  const fs::path original = folder / "original", file = folder / "file.gguf", back = folder / "back";
  fs::copy(golden / "models" / GetParam(), original, fs::copy_options::recursive);
  write_tokenizer(original);
  const auto written = convert(original, file, "f32");
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->relative_error, 0);
  same_weights(original, file);
  const std::vector<float> logits = logits_of(original), in_file = logits_of(file);
  ASSERT_EQ(logits.size(), in_file.size());
  // Divisors of llama3's frequencies are stored in fp32, theta as well: one more rounding among those of fp32.
  // Everything else is the same.
  const bool exact = std::string(GetParam()).find("llama3") == std::string::npos;
  const auto expect_same_logits = [&](const std::vector<float>& others) {
    if (exact) {
      EXPECT_EQ(others, logits);
      return;
    }
    Deviation deviation;
    for (std::size_t i = 0; i < logits.size(); ++i) deviation.add(others[i], logits[i]);
    const GoldenTensors of_model("models/" + std::string(GetParam()) + ".expected.safetensors");
    expect_as_near_as_fp32(deviation, of_model.get<float>("fp32_error"));
  };
  expect_same_logits(in_file);

  const auto returned = convert(file, back, "fp32");
  ASSERT_TRUE(returned) << returned.error().message;
  same_weights(original, back);
  const std::vector<float> after = logits_of(back);
  ASSERT_EQ(logits.size(), after.size());
  expect_same_logits(after);
  const auto tokenizer = Tokenizer::open(back);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->encode("the<|end|>that"), Tokenizer::open(original).value()->encode("the<|end|>that"));
  EXPECT_EQ(Checkpoint::open(back).value()->chat_template(), "{{ messages }}");
}

INSTANTIATE_TEST_SUITE_P(Of, EveryArchitecture,
                         testing::Values("llama2", "llama3", "llama3_old_spelling", "llama_linear_rope",
                                         "llama_yarn_rope", "llama_biases", "qwen2", "qwen3", "qwen3_untied"),
                         [](const auto& info) { return std::string(info.param); });

// A GGUF file says by a bias what config.json says by a flag, of every architecture that has the flag.
TEST(GgufFile, KeepsTheBiasesOfQwen3) {
  const made::Folder folder("gguf-qwen3-biases");
  const fs::path original = folder / "original", file = folder / "x.gguf", back = folder / "back";
  const std::string attention = "model.layers.0.self_attn.";
  auto tensors = made::llama_tensors();
  for (const auto& [name, width] : {std::pair{"q_proj.bias", 32},
                                    {"k_proj.bias", 16},
                                    {"v_proj.bias", 16},
                                    {"o_proj.bias", 32},
                                    {"q_norm.weight", 16},
                                    {"k_norm.weight", 16}})
    tensors.push_back({attention + name, {width}});
  made::Json config = made::llama_config();
  config["architectures"] = {"Qwen3ForCausalLM"};
  config["model_type"] = "qwen3";
  config["head_dim"] = 16;
  config["attention_bias"] = true;
  config["vocab_size"] = 64;
  tensors[0].shape[0] = 64;
  fs::create_directories(original);
  made::write(original / "config.json", config.dump());
  made::write(original / "model.safetensors", made::bf16_file(tensors));
  write_tokenizer(original);
  const auto written = convert(original, file, "f32");
  ASSERT_TRUE(written) << written.error().message;
  same_weights(original, file);
  const std::vector<float> logits = logits_of(original);
  EXPECT_EQ(logits_of(file), logits);
  ASSERT_TRUE(convert(file, back, "fp32"));
  same_weights(original, back);
  EXPECT_EQ(logits_of(back), logits);
  EXPECT_TRUE(Checkpoint::open(back).value()->config()["attention_bias"].get<bool>());
}

TEST(GgufFile, OfTheShippedModelHoldsItsWeightsTokenizerAndTemplate) {
  const made::Folder folder("gguf-shipped");
  const fs::path file = folder / "x.gguf", back = folder / "back";
  const auto written = convert(shipped, file, "bf16");
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->relative_error, 0);
  same_weights(shipped, file);
  ASSERT_TRUE(convert(file, back, "bf16"));
  same_weights(shipped, back);
  const auto original = Tokenizer::open(shipped).value();
  const std::string text = made::read(NIBBLE_SOURCE_DIR "/data/held_out.txt") +
                           "<|im_start|>user\nGr\xC3\xB6\xC3\x9F"
                           "e e\xCC\x81 12345  x<|im_end|>";
  const auto gguf = Gguf::open(file).value();
  EXPECT_EQ(Tokenizer::from_gguf(gguf).value()->encode(text), original->encode(text));
  EXPECT_EQ(Tokenizer::open(back).value()->encode(text), original->encode(text));
  const std::string chat = Checkpoint::open(shipped).value()->chat_template();
  EXPECT_FALSE(chat.empty());
  EXPECT_EQ(Checkpoint::open(file).value()->chat_template(), chat);
  EXPECT_EQ(Checkpoint::open(back).value()->chat_template(), chat);
}

TEST(GgufFile, InSeveralPartsIsTheSameModel) {
  const fs::path first = golden / "gguf_split" / "llama_q8_0-00001-of-00003.gguf";
  same_weights(golden / "gguf" / "llama_q8_0.gguf", first);
  EXPECT_EQ(logits_of(first), logits_of(golden / "gguf" / "llama_q8_0.gguf"));

  const made::Folder folder("gguf-split");
  const auto refused = [&](const fs::path& path, const std::vector<const char*>& words) {
    const auto opened = Checkpoint::open(path);
    ASSERT_FALSE(opened);
    for (const char* word : words)
      EXPECT_NE(opened.error().message.find(word), std::string::npos) << opened.error().message;
  };
  refused(golden / "gguf_split" / "llama_q8_0-00002-of-00003.gguf", {"part 2 of 3", "llama_q8_0-00001-of-00003.gguf"});
  const auto name = [&](int part) { return folder / ("x-0000" + std::to_string(part) + "-of-00003.gguf"); };
  const auto part = [&](int n) {
    return golden / "gguf_split" / ("llama_q8_0-0000" + std::to_string(n) + "-of-00003.gguf");
  };
  fs::copy(part(1), name(1));
  fs::copy(part(2), name(2));
  refused(name(1), {"x-00003-of-00003.gguf", "cannot open"});
  fs::copy(part(2), name(3));
  refused(name(1), {"x-00003-of-00003.gguf", "do not belong together"});
  fs::copy(part(1), folder / "other.gguf");
  refused(folder / "other.gguf", {"-00001-of-00003.gguf"});
}

// transformers multiplies what a folder holds, and refuses two types in one product.
TEST(GgufFile, BecomesAFourBitFolderOfOneType) {
  const made::Folder folder("gguf-four-bits");
  QuantizeCheckpointOptions options;
  options.precision = QuantizationConfig::nf4();
  options.allow_requantize = true;
  const auto done = quantize_checkpoint(golden / "gguf" / "llama_q8_0.gguf", folder / "out", options);
  ASSERT_TRUE(done) << done.error().message;
  const auto checkpoint = Checkpoint::open(folder / "out");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ((*checkpoint)->config()["dtype"], "bfloat16");
  for (const char* name : {"model.norm.weight", "model.layers.0.input_layernorm.weight", "model.embed_tokens.weight"}) {
    const CheckpointTensor* tensor = (*checkpoint)->find(name);
    ASSERT_TRUE(tensor) << name;
    EXPECT_EQ(tensor->type, "BF16") << name;
  }
}

TEST(GgufFile, IsRefusedForWhatItCannotExpress) {
  const made::Folder folder("gguf-refused");
  for (const auto& [name, words] : {std::pair{"mistral", "last 8 tokens"}, {"qwen2_window", "last 8 tokens"}}) {
    const fs::path original = folder / name;
    fs::copy(golden / "models" / name, original, fs::copy_options::recursive);
    write_tokenizer(original);
    const auto refused = convert(original, folder / "x.gguf", "f32");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unsupported);
    EXPECT_NE(refused.error().message.find(words), std::string::npos) << refused.error().message;
  }
  const auto rows = convert(shipped, folder / "x.gguf", "q4_k");
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, Errc::unsupported);
  for (const char* word : {"token_embd.weight", "rows of 384", "256 Q4_K", "q4_k_m"})
    EXPECT_NE(rows.error().message.find(word), std::string::npos) << rows.error().message;
  for (const auto& entry : fs::directory_iterator(folder.path()))
    EXPECT_TRUE(entry.is_directory()) << entry.path() << " was left behind";
}

}  // namespace
}  // namespace nibble
