// The head of a GGUF v3 file. Every size follows from types and shapes, so it stands first and data is streamed behind
// it.
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

// What a file says of one tensor.
struct GgufTensorInfo {
  std::string name;
  const GgmlType* type = nullptr;
  std::vector<std::int64_t> shape;  // outermost first, as GgufTensor has it; rows are whole blocks
  std::uint64_t bytes() const;
};

// What stands before the tensors' data; `place` is named in errors. Behind it each tensor begins at a multiple of 32
// bytes: gguf_padding() zeros follow the one before. Errors: a key or a tensor twice, a shape that its type cannot hold
// (internal).
Result<std::string> gguf_head(const std::string& place, const std::vector<GgufEntry>& metadata,
                              const std::vector<GgufTensorInfo>& tensors);
std::uint64_t gguf_padding(std::uint64_t bytes);

}  // namespace nibble
