// nlohmann-json without exceptions: parsing untrusted text gives a Result.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/error.hpp"
#include "io/json_value.hpp"

namespace nibble {

// A key written twice in an object: config files keep the last one, as Python does; a container's header or a receipt
// that names a tensor twice is refused.
enum class RepeatedKeys { keep_last, refuse };

// `place` is named in errors ("config.json"). Depth is limited to 200, a file to 100 MB: as a tree it takes some twenty
// times that. Errors give the byte where parsing stopped.
Result<Json> parse_json(std::string_view text, std::string_view place, RepeatedKeys repeated = RepeatedKeys::keep_last);
Result<Json> read_json(const std::filesystem::path& path);

// A value as an error message shows it: at most 80 bytes, and text that is not UTF-8 (GGUF may hold some) replaced.
std::string shown(const Json& value);

}  // namespace nibble
