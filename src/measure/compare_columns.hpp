// The columns that every form of the report shows, with what they mean.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "nibble/compare.hpp"

namespace nibble {

struct CompareColumn {
  std::string group, name, meaning;
  std::string (*cell)(const PrecisionResult&);
};

// After the precision's name. A column that nothing was measured for is left out.
std::vector<CompareColumn> compare_columns(const Comparison& comparison);

// "2.9" or "0.0004": what one reads, not what one has.
std::string short_number(double value);
// At most so many characters, on one line.
std::string first_words(const std::string& text, std::size_t characters);
// How the answers came about: "\"...\", answered with the model's chat template, greedily".
std::string describe_prompt(const Comparison& comparison);

}  // namespace nibble
