// Lines of a chat that begin with a slash: what they do instead of going to the model.
#pragma once

#include <optional>
#include <string>

#include "generation_arguments.hpp"

namespace nibble::cli {

// "/word" or "/word rest"; "/usr/bin" and "//text" are none.
bool is_chat_command(const std::string& line);

// true: the chat goes on; false: it ends; an error: nothing was done, and the message says what would be.
Result<bool> obey_chat_command(const std::string& line, Chat& chat);

}  // namespace nibble::cli
