// What a conversion leaves in its output, so that the output can be checked later: the hash of every tensor and of what
// it was made from, and how far it is from that.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "models/checkpoint.hpp"

namespace nibble {

struct Receipt {
  static constexpr std::string_view key = "nibble.receipt";  // in safetensors' and GGUF's metadata

  struct Tensor {
    std::string sha256;           // of the stored bytes
    std::string source;           // of the bytes it was made from; empty: part of another tensor
    std::optional<double> error;  // root mean square of the difference over that of the source's elements
  };
  std::string version, recipe, source_type;
  std::map<std::string, Tensor> tensors;  // by the name in the file
  // Hashes of what decides beside the tensors: small files of a folder by name, metadata_key of a GGUF file. The first
  // file of a folder lists them; empty: written before Nibble noted them.
  std::map<std::string, std::string> files;
  static constexpr std::string_view metadata_key = "metadata";

  // JSON whose length depends on names and texts alone, not on hashes and numbers.
  std::string text() const;
  // One tensor's entry, of a receipt or of a list like it; false: it is wrong.
  static bool read_tensor(const Json& entry, Tensor& out);
  static Result<Receipt> parse(std::string_view text, std::string_view place);
};

// Stored tensors of a checkpoint that make up one weight: itself and, in bitsandbytes' layout, what stands beside it.
std::string source_hash(const Checkpoint& checkpoint, std::string_view weight);

}  // namespace nibble
