// The devices of this machine that a model can be placed on.
//
// Threads: any number.
// Implemented in src/engine/backends.cpp.
#pragma once

#include <string>
#include <vector>

#include "nibble/result.hpp"

namespace nibble {

// The best device of this machine, whichever that is.
inline constexpr const char* automatic = "auto";

// Best first: {"cpu"}.
std::vector<std::string> devices();

// bad_request for anything but automatic and the names in devices(); the message says what is there.
Result<void> check_device(const std::string& device);

}  // namespace nibble
