// A model on disk, whichever container holds it: tensors under their Hugging Face names, a config in config.json's
// words, a tokenizer and a chat template. Nothing is read but headers and small JSON files.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "io/gguf.hpp"
#include "io/json.hpp"
#include "io/safetensors.hpp"
#include "models/gguf_rows.hpp"

namespace nibble {

// One tensor of a checkpoint. The bytes stay mapped while the Checkpoint (or a copy of it) lives.
struct CheckpointTensor {
  std::string name;  // Hugging Face name: "model.layers.0.self_attn.q_proj.weight"
  std::string type;  // "BF16", "Q4_1"
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  std::optional<DType> dtype;  // set for plain element types
  const GgmlType* block_type = nullptr;
  std::int64_t rope_heads = 0;  // > 0: rows of each of so many heads stand in gguf_rows.hpp's order; read() mends it

  std::uint64_t elements() const;
  std::int64_t rows() const { return shape.empty() ? 1 : shape[0]; }
  std::int64_t cols() const { return rows() == 0 ? 0 : std::int64_t(elements()) / rows(); }
  // Elements [first, first + count) of the flattened tensor as fp32. Thread-safe.
  void read(std::int64_t first, std::int64_t count, float* out) const;
  // Where the file has each row.
  GgufRows row_order() const { return {rows(), rope_heads}; }
  // Bytes can be used where they lie: a plain type, rows in order.
  bool in_place() const { return dtype.has_value() && rope_heads == 0; }
  // It has elements that read() gives: floating point, or blocks that Nibble decodes.
  bool readable() const;
};

// Index of the first element that is NaN or infinite; -1: none. For readable() tensors.
std::int64_t first_nonfinite(const CheckpointTensor& tensor);

class Checkpoint {
 public:
  // A folder with config.json and safetensors (single or sharded), or a .gguf file.
  static Result<std::shared_ptr<Checkpoint>> open(const std::filesystem::path& path);
  // Only config.json, from a folder or the file itself: for estimates. No tensors.
  static Result<std::shared_ptr<Checkpoint>> open_config(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  bool is_gguf() const { return gguf_.has_value(); }
  const Gguf* gguf() const { return gguf_ ? &*gguf_ : nullptr; }
  const Json& config() const { return config_; }  // in config.json's words, made from metadata for GGUF
  // Sentences about where config and tensors contradict each other, and which was believed; `config` says the same.
  const std::vector<std::string>& notes() const { return notes_; }
  const Json& generation_config() const { return generation_config_; }
  const std::string& chat_template() const { return chat_template_; }  // empty: the model has none
  const std::vector<CheckpointTensor>& tensors() const { return tensors_; }
  const CheckpointTensor* find(std::string_view name) const;
  // The tensor of this name and, in bitsandbytes' layout, those beside it, by name.
  std::vector<const CheckpointTensor*> parts_of(std::string_view name) const;
  // What each file's metadata says under this key, for files that have it.
  std::vector<std::string> metadata_texts(std::string_view key) const;
  const StoredTensor* find_stored(std::string_view name) const;  // safetensors only
  std::uint64_t file_bytes() const { return file_bytes_; }       // of all weight files
  std::vector<std::shared_ptr<MappedFile>> files() const;        // that hold weights

 private:
  Result<void> open_folder();
  Result<void> open_gguf();
  Result<void> add(CheckpointTensor tensor);
  void untie_what_differs();

  std::filesystem::path path_;
  Json config_, generation_config_;
  std::string chat_template_;
  std::vector<std::string> notes_;
  std::vector<Safetensors> shards_;
  std::optional<Gguf> gguf_;
  std::vector<CheckpointTensor> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
  std::unordered_map<std::string, const StoredTensor*> stored_;
  std::unordered_map<std::string, std::vector<std::size_t>> companions_;  // of a weight, in the order of the files
  std::uint64_t file_bytes_ = 0;
};

}  // namespace nibble
