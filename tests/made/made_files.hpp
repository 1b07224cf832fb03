// Small model files that are valid, so that a test can make one thing in them wrong.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace made {

using Json = nlohmann::json;
namespace fs = std::filesystem;

inline std::string little_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += char(value >> (8 * i));
  return out;
}

inline std::string safetensors(const std::string& header, const std::string& data) {
  return little_endian(header.size(), 8) + header + data;
}

inline void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
inline std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A folder that is gone when the test is.
class Folder {
 public:
  explicit Folder(const std::string& name, const fs::path& inside = fs::temp_directory_path())
      : path_(inside / ("nibble-" + name + "-" + std::to_string(::getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

struct NamedShape {
  std::string name;
  std::vector<std::int64_t> shape;  // rows, columns
};

// A Llama of one layer: hidden 32, two heads of 16 with one key/value head, MLP 64, vocabulary 48.
inline Json llama_config() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"hidden_size", 32},
          {"intermediate_size", 64},
          {"num_hidden_layers", 1},
          {"num_attention_heads", 2},
          {"num_key_value_heads", 1},
          {"vocab_size", 48},
          {"max_position_embeddings", 64},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 10000.0},
          {"hidden_act", "silu"},
          {"tie_word_embeddings", true},
          {"torch_dtype", "bfloat16"}};
}

inline std::vector<NamedShape> llama_tensors() {
  const std::string layer = "model.layers.0.";
  return {{"model.embed_tokens.weight", {48, 32}},
          {layer + "input_layernorm.weight", {32}},
          {layer + "self_attn.q_proj.weight", {32, 32}},
          {layer + "self_attn.k_proj.weight", {16, 32}},
          {layer + "self_attn.v_proj.weight", {16, 32}},
          {layer + "self_attn.o_proj.weight", {32, 32}},
          {layer + "post_attention_layernorm.weight", {32}},
          {layer + "mlp.gate_proj.weight", {64, 32}},
          {layer + "mlp.up_proj.weight", {64, 32}},
          {layer + "mlp.down_proj.weight", {32, 64}},
          {"model.norm.weight", {32}}};
}

inline std::size_t elements(const NamedShape& tensor) {
  std::size_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= std::size_t(size);
  return count;
}

// bf16 values that differ, between -0.5 and 0.5.
inline std::string bf16_values(std::size_t count, unsigned salt) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    const float value = float(int((i * 2654435761u + salt * 40503u) >> 7 & 255) - 128) / 256;
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    out += little_endian(bits >> 16, 2);
  }
  return out;
}

// A safetensors file of these tensors in bf16.
inline std::string bf16_file(const std::vector<NamedShape>& tensors) {
  Json header = Json::object();
  std::string data;
  unsigned salt = 0;
  for (const NamedShape& tensor : tensors) {
    const std::string values = bf16_values(elements(tensor), ++salt);
    header[tensor.name] = {
        {"dtype", "BF16"}, {"shape", tensor.shape}, {"data_offsets", {data.size(), data.size() + values.size()}}};
    data += values;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that data is aligned, as writers of today have it
  return safetensors(text, data);
}

inline void write_llama(const fs::path& folder) {
  fs::create_directories(folder);
  write(folder / "config.json", llama_config().dump());
  write(folder / "model.safetensors", bf16_file(llama_tensors()));
}

// GGUF, field by field; what bytes() writes is valid unless a test made it otherwise.
class Gguf {
 public:
  std::uint32_t version = 3;
  std::uint64_t extra_tensors = 0, extra_keys = 0;  // claimed beside those that are there
  std::size_t alignment = 32;

  Gguf& raw(const std::string& key, std::uint32_t type, const std::string& value) {
    keys_.emplace_back(key, little_endian(type, 4) + value);
    return *this;
  }
  Gguf& u32(const std::string& key, std::uint32_t value) { return raw(key, 4, little_endian(value, 4)); }
  Gguf& f32(const std::string& key, float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return raw(key, 6, little_endian(bits, 4));
  }
  Gguf& text(const std::string& key, const std::string& value) { return raw(key, 8, string(value)); }
  Gguf& texts(const std::string& key, const std::vector<std::string>& values) {
    std::string list = little_endian(8, 4) + little_endian(values.size(), 8);
    for (const std::string& value : values) list += string(value);
    return raw(key, 9, list);
  }
  Gguf& without(const std::string& key) {
    std::erase_if(keys_, [&](const auto& entry) { return entry.first == key; });
    return *this;
  }

  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> shape;  // as the file orders it: innermost first
    std::uint32_t type = 0;
    std::string data;
    std::int64_t offset = -1;  // -1: behind the one before
  };
  std::vector<Tensor> tensors;

  std::string bytes() const {
    std::string out = "GGUF" + little_endian(version, 4) + little_endian(tensors.size() + extra_tensors, 8) +
                      little_endian(keys_.size() + extra_keys, 8);
    for (const auto& [key, value] : keys_) out += string(key) + value;
    std::string data;
    for (const Tensor& tensor : tensors) {
      data.resize((data.size() + alignment - 1) / alignment * alignment);
      out += string(tensor.name) + little_endian(tensor.shape.size(), 4);
      for (const std::uint64_t size : tensor.shape) out += little_endian(size, 8);
      out += little_endian(tensor.type, 4) +
             little_endian(tensor.offset < 0 ? data.size() : std::uint64_t(tensor.offset), 8);
      data += tensor.data;
    }
    out.resize((out.size() + alignment - 1) / alignment * alignment);
    return out + data;
  }

  static std::string string(const std::string& value) { return little_endian(value.size(), 8) + value; }

 private:
  std::vector<std::pair<std::string, std::string>> keys_;
};

// The Llama of llama_config() with BF16 matrices, and a byte-level tokenizer of a few letters.
inline Gguf llama_gguf() {
  Gguf file;
  file.text("general.architecture", "llama")
      .u32("llama.embedding_length", 32)
      .u32("llama.block_count", 1)
      .u32("llama.feed_forward_length", 64)
      .u32("llama.attention.head_count", 2)
      .u32("llama.attention.head_count_kv", 1)
      .u32("llama.context_length", 64)
      .u32("llama.rope.dimension_count", 16)
      .f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  std::vector<std::string> tokens;
  for (int i = 0; i < 48; ++i) tokens.push_back(std::string(1, char('A' + i)));
  file.text("tokenizer.ggml.model", "gpt2")
      .text("tokenizer.ggml.pre", "smollm")
      .texts("tokenizer.ggml.tokens", tokens)
      .texts("tokenizer.ggml.merges", {})
      .u32("tokenizer.ggml.eos_token_id", 47);
  const std::pair<std::string, std::string> names[] = {{"model.embed_tokens", "token_embd"},
                                                       {"model.layers.0.input_layernorm", "blk.0.attn_norm"},
                                                       {"model.layers.0.self_attn.q_proj", "blk.0.attn_q"},
                                                       {"model.layers.0.self_attn.k_proj", "blk.0.attn_k"},
                                                       {"model.layers.0.self_attn.v_proj", "blk.0.attn_v"},
                                                       {"model.layers.0.self_attn.o_proj", "blk.0.attn_output"},
                                                       {"model.layers.0.post_attention_layernorm", "blk.0.ffn_norm"},
                                                       {"model.layers.0.mlp.gate_proj", "blk.0.ffn_gate"},
                                                       {"model.layers.0.mlp.up_proj", "blk.0.ffn_up"},
                                                       {"model.layers.0.mlp.down_proj", "blk.0.ffn_down"},
                                                       {"model.norm", "output_norm"}};
  unsigned salt = 0;
  for (const NamedShape& tensor : llama_tensors()) {
    ++salt;
    for (const auto& [hugging_face, gguf] : names)
      if (tensor.name == hugging_face + ".weight")
        file.tensors.push_back(
            {gguf + ".weight", {tensor.shape.rbegin(), tensor.shape.rend()}, 30, bf16_values(elements(tensor), salt)});
  }
  return file;
}

}  // namespace made
