// model.safetensors.index.json: which file of the folder holds each tensor.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "io/json.hpp"

namespace nibble {

// A file name that stays in its folder, and is neither hidden nor a surprise on a terminal.
bool is_plain_file_name(std::string_view name);

// Shards by tensor. corrupt_file if it is no index, or a shard is no plain file name.
Result<std::map<std::string, std::string>> parse_shard_index(const Json& index, std::string_view place);

}  // namespace nibble
