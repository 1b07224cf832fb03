// The columns that every form of the report shows.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "nibble/compare.hpp"

namespace nibble {

std::vector<std::string> compare_header();
std::vector<std::string> compare_row(
    const PrecisionResult& result);  // one cell and the message if the precision failed
std::string first_words(const std::string& text, std::size_t characters);

}  // namespace nibble
