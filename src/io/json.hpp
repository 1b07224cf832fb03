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

// The largest published config has 100 KB, the largest tokenizer_config.json 1 MB, the largest index of shards 10 MB.
constexpr std::size_t small_json_limit = 10'000'000;
constexpr std::size_t large_json_limit = 100'000'000;  // as of a safetensors header

// `place` is named in errors ("config.json"). Depth is limited to 200, and the tree to what json_tree_budget() says:
// some eight times the text. Errors give the byte where parsing stopped.
Result<Json> parse_json(std::string_view text, std::string_view place, RepeatedKeys repeated = RepeatedKeys::keep_last);
Result<Json> read_json(const std::filesystem::path& path, std::size_t most_bytes = small_json_limit);

// A value as an error message shows it: printable, at most 80 characters.
std::string shown(const Json& value);

}  // namespace nibble
