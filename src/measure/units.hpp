// Numbers as sentences have them, and limits that several sentences share.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"

namespace nibble {

// Of the stored bytes: what takes more is no reason to round weights that are quantized a second time.
inline constexpr double worth_rounding = 0.9;

inline std::string megabytes(std::uint64_t bytes) { return fmt::format("{:.1f} MB", double(bytes) / 1e6); }

}  // namespace nibble
