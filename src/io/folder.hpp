// Folders where memory may end. Listing: libstdc++'s own iterator ends the program when it finds none for a name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace nibble {

// Names of what lies in it, in no order. Errors: not_found, io_failure.
Result<std::vector<std::string>> names_in_folder(const std::filesystem::path& folder);

// A folder with all that is in it, as far as the system lets it. Cleaning up where memory ran out must not throw for
// want of it: this asks the heap for a few kilobytes, once.
void remove_folder(const char* folder) noexcept;

}  // namespace nibble
