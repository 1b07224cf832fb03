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
  // Errors: a key or a tensor twice, a shape that its type cannot hold (internal), and what the system refuses.
  static Result<GgufWriter> create(const std::filesystem::path& path, const std::vector<GgufEntry>& metadata,
                                   const std::vector<Entry>& tensors);
  // A file without tensors, as bytes.
  static std::string metadata_alone(const std::vector<GgufEntry>& metadata);
  // The next tensor in the declared order, whole or in parts; a part does not reach into the tensor after it.
  Result<void> write(std::span<const std::byte> bytes);
  // Puts other text of the same length in the place of a text that create() was given: for what is known only at the
  // end.
  Result<void> replace_text(std::string_view key, std::string_view text);
  std::uint64_t size() const { return size_; }  // of the whole file, in bytes
  Result<void> commit();                        // every declared byte must have been written

 private:
  explicit GgufWriter(AtomicFile file) : file_(std::move(file)) {}
  AtomicFile file_;
  std::vector<std::uint64_t> sizes_;  // of the tensors
  std::size_t at_ = 0;                // the tensor that is being written
  std::uint64_t written_ = 0;         // of it
  std::uint64_t size_ = 0;
  std::vector<std::pair<std::string, std::uint64_t>> text_places_;  // key, byte of the file where its text begins
  std::vector<std::uint64_t> text_sizes_;
};

}  // namespace nibble
