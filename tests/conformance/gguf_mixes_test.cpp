// Every type and mix, tensor by tensor, against what llama.cpp writes for the same weights.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "../made/made_files.hpp"
#include "base/digest.hpp"
#include "io/gguf_head.hpp"
#include "nibble/quantize.hpp"

namespace nibble {
namespace {

using Golden = nlohmann::json;

Golden golden() {
  std::ifstream file(NIBBLE_SOURCE_DIR "/tests/golden/gguf_mixes.json");
  return Golden::parse(file);
}

// tools/golden/gguf_mixes.py, values().
std::vector<float> values(std::size_t count, std::uint32_t salt) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t x = std::uint32_t(i) * 0x9E3779B1u + salt * 0x85EBCA77u;
    x = (x ^ x >> 15) * 0x2C1B3C6Du;
    x = (x ^ x >> 12) * 0x297A2D39u;
    x ^= x >> 15;
    const int sum = int(x & 255) + int(x >> 8 & 255) + int(x >> 16 & 255) + int(x >> 24) - 510;
    out[i] = float(sum) / 4096.0f;
  }
  return out;
}

void write_source(const std::filesystem::path& path, const Golden& model) {
  const std::string arch = model["architecture"], prefix = arch + ".";
  const auto size = [&](const char* key) { return model[key].get<std::int64_t>(); };
  std::vector<GgufEntry> metadata = {{"general.architecture", arch}};
  for (const auto& [key, value] : {std::pair{"embedding_length", size("hidden")},
                                   {"block_count", size("layers")},
                                   {"feed_forward_length", size("ffn")},
                                   {"attention.head_count", size("heads")},
                                   {"attention.head_count_kv", size("kv_heads")},
                                   {"attention.key_length", size("head_dim")},
                                   {"context_length", std::int64_t(64)}})
    metadata.push_back({prefix + key, std::uint32_t(value)});
  metadata.push_back({prefix + "attention.layer_norm_rms_epsilon", 1e-5f});

  const std::int64_t q = size("heads") * size("head_dim"), kv = size("kv_heads") * size("head_dim");
  const std::int64_t hidden = size("hidden"), ffn = size("ffn");
  std::vector<GgufTensorInfo> tensors;
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape) {
    tensors.push_back({name, ggml_type("F32"), std::move(shape)});
  };
  add("token_embd.weight", {size("vocab"), hidden});
  for (std::int64_t layer = 0; layer < size("layers"); ++layer) {
    const std::string at = "blk." + std::to_string(layer) + ".";
    add(at + "attn_norm.weight", {hidden});
    add(at + "attn_q.weight", {q, hidden});
    add(at + "attn_k.weight", {kv, hidden});
    add(at + "attn_v.weight", {kv, hidden});
    add(at + "attn_output.weight", {hidden, q});
    add(at + "ffn_norm.weight", {hidden});
    add(at + "ffn_gate.weight", {ffn, hidden});
    add(at + "ffn_up.weight", {ffn, hidden});
    add(at + "ffn_down.weight", {hidden, ffn});
    if (arch == "qwen2") {
      add(at + "attn_q.bias", {q});
      add(at + "attn_k.bias", {kv});
      add(at + "attn_v.bias", {kv});
    }
    if (arch == "qwen3") {
      add(at + "attn_q_norm.weight", {size("head_dim")});
      add(at + "attn_k_norm.weight", {size("head_dim")});
    }
  }
  add("output_norm.weight", {hidden});
  if (!model["tied"]) add("output.weight", {size("vocab"), hidden});
  std::string file = gguf_head(path.string(), metadata, tensors).value();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::vector<float> elements = values(tensors[i].bytes() / 4, std::uint32_t(i));
    file.append(reinterpret_cast<const char*>(elements.data()), tensors[i].bytes());
    file.append(gguf_padding(file.size()), '\0');
  }
  made::write(path, file);
}

TEST(GgufMixes, HaveTheTypesAndBytesThatLlamaCppWrites) {
  const made::Folder folder("gguf-mixes");
  const Golden all = golden();
  std::size_t compared = 0;
  for (const auto& [name, model] : all.items()) {
    write_source(folder / (name + ".gguf"), model);
    for (const auto& [recipe, expected] : model["recipes"].items()) {
      const auto out = folder / (name + "-" + recipe + ".gguf");
      QuantizeCheckpointOptions options;
      options.gguf_type = recipe;
      const auto report = quantize_checkpoint(folder / (name + ".gguf"), out, options);
      ASSERT_TRUE(report) << name << " " << recipe << ": " << report.error().message;
      const auto file = Gguf::open(out);
      ASSERT_TRUE(file) << file.error().message;
      EXPECT_EQ(file->tensors().size(), expected.size());
      for (const GgufTensor& tensor : file->tensors()) {
        ASSERT_TRUE(expected.contains(tensor.name)) << tensor.name;
        EXPECT_EQ(ggml_type(tensor.type)->name, expected[tensor.name][0].get<std::string>())
            << name << " " << recipe << " " << tensor.name;
        EXPECT_EQ(sha256(tensor.bytes).substr(0, 16), expected[tensor.name][1].get<std::string>())
            << name << " " << recipe << " " << tensor.name;
        ++compared;
      }
      std::filesystem::remove(out);
    }
  }
  EXPECT_EQ(compared, 15u * 39 + 4 * 101 + 4 * 26);
}

}  // namespace
}  // namespace nibble
