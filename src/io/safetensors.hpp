// The safetensors container: 8 bytes of header length, a JSON header, then the tensors' bytes.
// Source: the format description in the README of the safetensors project.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/mapped_file.hpp"
#include "tensor/dtype.hpp"

namespace nibble {

// One stored tensor: row-major, little-endian, bytes inside a mapping that the owner of the file keeps alive.
struct StoredTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  std::uint64_t elements() const;
};

class Safetensors {
 public:
  // Checks everything before use: header length, JSON, dtype, shape overflow, offsets inside the file, no overlap, no
  // holes, no name twice.
  static Result<Safetensors> open(const std::filesystem::path& path);
  static Result<Safetensors> parse(std::span<const std::byte> bytes,
                                   std::string_view place);  // the parser alone, for fuzzing

  const std::vector<StoredTensor>& tensors() const { return tensors_; }  // in file order
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  std::uint64_t file_bytes() const { return file_bytes_; }
  std::shared_ptr<MappedFile> file() const { return file_; }

 private:
  std::shared_ptr<MappedFile> file_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
  std::uint64_t file_bytes_ = 0;
};

// Streams tensors to one file. Two passes: declare every tensor, then write the bytes in the declared order.
class SafetensorsWriter {
 public:
  struct Entry {
    std::string name;
    DType dtype;
    std::vector<std::int64_t> shape;
    std::uint64_t bytes() const;  // of a possible shape
  };
  // What stands before the tensors' bytes, filled with spaces to `room` bytes where it is shorter: the format allows
  // that. `place` is named in errors.
  static Result<std::string> head(const std::string& place, const std::vector<Entry>& entries,
                                  const std::map<std::string, std::string>& metadata, std::uint64_t room = 0);
  static Result<SafetensorsWriter> create(const std::filesystem::path& path, const std::vector<Entry>& entries,
                                          const std::map<std::string, std::string>& metadata);
  Result<void> write(std::span<const std::byte> bytes);  // the next tensor, whole or in parts
  Result<void> commit();                                 // every declared byte must have been written

 private:
  explicit SafetensorsWriter(AtomicFile file) : file_(std::move(file)) {}
  AtomicFile file_;
  std::uint64_t expected_ = 0, written_ = 0;
};

// The order in which the reference implementation stores tensors, as indices into `entries`: by type, the widest first,
// so that each begins at a multiple of its element; then by name. A file declared in this order has its very bytes.
std::vector<std::size_t> stored_order(const std::vector<SafetensorsWriter::Entry>& entries);

}  // namespace nibble
