// What shells and `man` know of the program, made from the options as they are declared.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace nibble::cli {

// `nibble completion bash|zsh|fish|man`.
void add_completion(CLI::App& app, std::function<int()>& run);

std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string fish_completion(const CLI::App& app);
std::string manual_page(const CLI::App& app);

// A verb with the words that name it ("bench model").
struct NamedVerb {
  std::string words;
  const CLI::App* verb;
};
std::vector<NamedVerb> named_verbs(const CLI::App& app);

}  // namespace nibble::cli
