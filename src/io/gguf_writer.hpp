// Writes one GGUF v3 file. Every size follows from types and shapes, so the header stands first and data is streamed
// behind it.
#pragma once

#include <variant>

#include "io/gguf.hpp"

namespace nibble {

// One metadata key. The C++ type of the value decides the type in the file; GgufRaw is copied as it stands. To be
// moved, not copied: libstdc++ 12 takes a variant of such types for one that is never empty, and where a copy runs out
// of memory it destroys what is not there.
struct GgufEntry {
  std::string key;
  std::variant<bool, std::uint32_t, float, std::string, std::vector<std::string>, std::vector<float>,
               std::vector<std::int32_t>, GgufRaw>
      value;
};

class GgufWriter {
 public:
  struct Entry {
    std::string name;
    const GgmlType* type = nullptr;
    std::vector<std::int64_t> shape;  // outermost first, as GgufTensor has it; rows are whole blocks
    std::uint64_t bytes() const;
  };
  // What stands before the tensors' data; `place` is named in errors. Behind it each tensor begins at a multiple of 32
  // bytes: padding() zeros follow the one before. Errors: a key or a tensor twice, a shape that its type cannot hold
  // (internal).
  static Result<std::string> head(const std::string& place, const std::vector<GgufEntry>& metadata,
                                  const std::vector<Entry>& tensors);
  static std::uint64_t padding(std::uint64_t bytes);
  static Result<GgufWriter> create(const std::filesystem::path& path, const std::vector<GgufEntry>& metadata,
                                   const std::vector<Entry>& tensors);
  // A file without tensors, as bytes.
  static std::string metadata_alone(const std::vector<GgufEntry>& metadata);
  // The next tensor in the declared order, whole or in parts; a part does not reach into the tensor after it.
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> commit();  // every declared byte must have been written

 private:
  explicit GgufWriter(AtomicFile file) : file_(std::move(file)) {}
  AtomicFile file_;
  std::vector<std::uint64_t> sizes_;  // of the tensors
  std::size_t at_ = 0;                // the tensor that is being written
  std::uint64_t written_ = 0;         // of it
};

}  // namespace nibble
