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

  // As one reads it: "seconds to load", "perplexity (quality)".
  std::string title() const;
};

// After the precision's name. A column that nothing was measured for is left out.
std::vector<CompareColumn> compare_columns(const Comparison& comparison);

// "2.9" or "0.0004": what one reads, not what one has.
std::string short_number(double value);
// At most so many characters, on one line.
std::string first_words(const std::string& text, std::size_t characters);
// What a path names: "gutenberg-16m" of "models/gutenberg-16m/", "org/name" of a folder in the hub's cache.
std::string model_name(const std::string& path);
// The same text in Markdown, none of it markup or HTML, on one line; control characters as escapes.
std::string escape_markdown(std::string_view text);
// Why stored copies that were asked for were not measured, a sentence each.
std::vector<std::string> copy_problems(const Comparison& comparison);
// What a document was made from, with a heading each; empty ones are left out.
std::vector<std::pair<std::string, std::string>> origin_lines(const Provenance& provenance);
// How the answers came about: "\"...\", answered with the model's chat template, greedily".
std::string describe_prompt(const Comparison& comparison);

}  // namespace nibble
