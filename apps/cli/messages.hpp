// Conversations in files: a JSON list of {"role": .., "content": ..}.
#pragma once

#include <string>
#include <vector>

#include "nibble/generate.hpp"

namespace nibble::cli {

// "-" is standard input; {"messages": [..]} is understood as well.
Result<std::vector<Message>> read_messages(const std::string& path);
std::string to_json(const std::vector<Message>& messages);

}  // namespace nibble::cli
