// What a fuzz target defines. driver.cpp has the loop; any engine that calls LLVMFuzzerTestOneInput (libFuzzer, AFL++)
// can take its place: link NAME_fuzz.cpp and target.cpp with it, instead of driver.cpp and coverage.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

// Feeds any bytes to one reader; whether it took them. An error result is fine; a crash, a hang, unbounded memory or a
// broken promise (fuzz_expect) is the finding.
bool fuzz_one(std::string_view bytes);

// Inputs that mutation starts from, small ones (a few KB). The reader must take each: one that it refuses is no seed.
std::vector<std::string> fuzz_seeds();

// Words of the format, inserted now and then.
std::vector<std::string> fuzz_words();

// For targets that read values: `count` floats of both signs below 1, and words that are floats at the ends of fp32 and
// fp16.
std::string fuzz_floats(int count);
std::vector<std::string> fuzz_float_words();

// Bytes of a file of the repository ("tests/golden/..."); ends the program if it is missing.
std::string repository_file(const std::string& path);

// Ends the program with a finding if a promise about what was accepted is broken.
void fuzz_expect(bool holds, const char* promise);
