// The words after `nibble`: which verb they ask for, and what is said where they ask for nothing that there is.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace nibble::cli {

// Declares every verb on `app`; the one that is chosen by parsing puts itself into `run`.
void declare_verbs(CLI::App& app, std::function<int()>& run);

// Runs what the words ask for, and gives the exit code. Help that was asked for goes to standard output and is 0; a
// verb that is missing is answered with the list of verbs on standard error, and is 2 as every wrong request.
int run_words(std::vector<std::string> words);

}  // namespace nibble::cli
