// Hashes, by OpenSSL's libcrypto, in lower-case hexadecimal.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace nibble {

enum class DigestKind { sha256, sha1 };

class Digest {
 public:
  explicit Digest(DigestKind kind = DigestKind::sha256);
  void add(std::span<const std::byte> bytes);
  std::string finish();  // once

 private:
  std::unique_ptr<void, void (*)(void*)> context_;
};

std::string sha256(std::span<const std::byte> bytes);
inline std::string sha256(std::string_view text) { return sha256(std::as_bytes(std::span(text.data(), text.size()))); }
// A non-empty `before` is hashed first, followed by a zero byte, as git does.
Result<std::string> digest_of_file(const std::filesystem::path& path, DigestKind kind, std::string_view before = {});

}  // namespace nibble
