// nlohmann-json without exceptions: parsing untrusted text gives a Result, getters name the key, what was expected, what was found.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.hpp"

namespace nibble {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

// `place` is named in errors ("config.json"). Depth is limited to 200. Errors give the byte where parsing stopped.
Result<Json> parse_json(std::string_view text, std::string_view place);
Result<Json> read_json(const std::filesystem::path& path);

}  // namespace nibble
