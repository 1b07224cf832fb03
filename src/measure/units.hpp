// Numbers as sentences have them.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"

namespace nibble {

inline std::string megabytes(std::uint64_t bytes) { return fmt::format("{:.1f} MB", double(bytes) / 1e6); }

}  // namespace nibble
