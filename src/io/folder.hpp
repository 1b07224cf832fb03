// Listing a folder where memory may end: libstdc++'s own iterator ends the program when it finds none for a name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace nibble {

// Names of what lies in it, in no order. Errors: not_found, io_failure.
Result<std::vector<std::string>> names_in_folder(const std::filesystem::path& folder);

}  // namespace nibble
