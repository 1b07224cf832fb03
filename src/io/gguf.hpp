// GGUF v3, llama.cpp's container: metadata (typed key/value pairs), tensor infos, aligned tensor data.
// Source: ggml's docs/gguf.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "io/ggml/ggml_types.hpp"
#include "io/mapped_file.hpp"

namespace nibble {

struct GgufValue {
  using Array = std::vector<GgufValue>;
  std::variant<bool, std::int64_t, std::uint64_t, double, std::string, Array> value;
};

// A value as its bytes lie in the file, behind its type: what is copied from file to file.
struct GgufRaw {
  std::uint32_t type = 0;  // as the file numbers value types
  std::span<const std::byte> bytes;
};

struct GgufTensor {
  std::string name;
  std::uint32_t type = 0;           // ggml type number
  std::vector<std::int64_t> shape;  // outermost first: the reverse of the file's order, so rows, cols for a matrix
  std::span<const std::byte> bytes;
  std::uint64_t elements() const;
};

class Gguf {
 public:
  // A file, or the first of several ("NAME-00001-of-00003.gguf"): the others are found beside it, and the tensors are
  // those of all. Metadata is the first one's.
  static Result<Gguf> open(const std::filesystem::path& path);
  static Result<Gguf> parse(std::span<const std::byte> bytes, std::string_view place);

  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const GgufValue* find(std::string_view key) const;
  // Typed getters; the error names key, expected and found type.
  Result<std::string> text(std::string_view key) const;
  Result<std::int64_t> integer(std::string_view key) const;
  Result<double> number(std::string_view key) const;
  const std::vector<std::pair<std::string, GgufValue>>& metadata() const { return metadata_; }
  // The same keys in the same order, as bytes that live as long as this object.
  const std::vector<GgufRaw>& raw_metadata() const { return raw_; }
  std::uint64_t file_bytes() const { return file_bytes_; }  // of all files
  const std::vector<std::shared_ptr<MappedFile>>& files() const { return files_; }

 private:
  Result<void> open_others(const std::filesystem::path& path, std::int64_t count);

  std::vector<std::shared_ptr<MappedFile>> files_;
  std::vector<std::pair<std::string, GgufValue>> metadata_;
  std::vector<GgufRaw> raw_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<GgufTensor> tensors_;
  std::uint64_t file_bytes_ = 0;
};

}  // namespace nibble
