// Hashes of files, by OpenSSL's libcrypto.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace nibble {

enum class Digest { sha256, sha1 };

// In lower-case hexadecimal. A non-empty `before` is hashed first, followed by a zero byte, as git does.
Result<std::string> digest_of_file(const std::filesystem::path& path, Digest kind, std::string_view before = {});

}  // namespace nibble
