// What every fuzz target links, whichever engine drives it: the entry that libFuzzer and AFL++ call, and the helpers.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz.hpp"

// Zero also of what was refused: -1 would keep an engine from going on from it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz_one({reinterpret_cast<const char*>(bytes), size});
  return 0;
}

std::string fuzz_floats(int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    const float value = float(i * 37 % 101 - 50) / 64;
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  return bytes;
}

std::vector<std::string> fuzz_float_words() {
  std::vector<std::string> words;
  for (const float value :
       {std::nanf(""), INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 1e-38f, 1e-45f, 65504.0f, 65520.0f, -0.0f})
    words.emplace_back(reinterpret_cast<const char*>(&value), sizeof value);
  return words;
}

std::string repository_file(const std::string& path) {
  std::ifstream file(std::filesystem::path(NIBBLE_SOURCE_DIR) / path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "seed %s is missing\n", path.c_str());
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

void fuzz_expect(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}
