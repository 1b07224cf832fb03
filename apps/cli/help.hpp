// What is made from the options as they are declared: help, and what stands for a value in it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace nibble::cli {

// Gives the program and every verb one layout of help, names for values, and examples; after all verbs are there.
void dress(CLI::App& app);

// What an option shows of itself. Aliases are not shown: an option's first long name is its name.
struct ShownOption {
  std::vector<std::string> names;  // "-n", "--max-new-tokens"; of a positional its one name
  std::string value;               // "PRECISION"; empty: a flag
  std::string description;
  bool positional = false, required = false, several = false;
};
// In the order in which they were declared, help first; hidden ones are left out.
std::vector<ShownOption> shown_options(const CLI::App& app);
std::vector<const CLI::App*> shown_verbs(const CLI::App& app);
// Lines that can be typed as they stand.
std::vector<std::string> examples_of(const CLI::App& app);
std::string joined(const std::vector<std::string>& words, const std::string& between);
// "nibble run [OPTIONS] MODEL [PROMPT...]"; `words`: "nibble run".
std::string usage_of(const CLI::App& app, const std::string& words);

}  // namespace nibble::cli
