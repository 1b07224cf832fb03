// What a fuzz target defines; driver.cpp has the loop.
#pragma once

#include <string>
#include <string_view>
#include <vector>

// Feeds any bytes to one reader. An error result is fine; a crash, a hang or unbounded memory is the finding.
void fuzz_one(std::string_view bytes);

// Valid inputs that mutation starts from, small ones (a few KB).
std::vector<std::string> fuzz_seeds();

// Words of the format, inserted now and then.
std::vector<std::string> fuzz_words();

// Bytes of a file of the repository ("tests/golden/..."); ends the program if it is missing.
std::string repository_file(const std::string& path);
