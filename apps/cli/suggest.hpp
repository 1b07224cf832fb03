// "Did you mean": what was probably meant by a word that is not known.
#pragma once

#include <string>
#include <vector>

namespace nibble::cli {

// The candidate that takes fewest changes of letters (a swap of neighbours counts one), if they are few for the word's
// length; empty: none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

// "; did you mean X?", or nothing.
std::string did_you_mean(const std::string& suggestion);

// What Nibble calls the precision that others call `word` ("4bit", "float16"), or that is spelled nearly so.
std::string meant_precision(const std::string& word);

// What is written here in place of an option that other programs have ("--load-in-4bit": "--precision nf4"); empty: it
// is not known either. `options`: those there are.
std::string meant_option(const std::string& word, const std::vector<std::string>& options);

std::string lower_case(std::string text);

}  // namespace nibble::cli
