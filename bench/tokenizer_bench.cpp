// How fast tokenizers load, encode and decode, inside the process: tokenizer_bench TEXT REPEATS MODEL...
// One line of JSON per model; tokenizer_speed.py runs it beside the reference libraries.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "io/mapped_file.hpp"
#include "nibble/tokenizer.hpp"

namespace {

template <class Work>
double seconds(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s TEXT REPEATS MODEL...\n", argv[0]);
    return 2;
  }
  const auto text = nibble::read_text(argv[1]);
  if (!text) {
    std::fprintf(stderr, "%s\n", text.error().message.c_str());
    return 1;
  }
  const int repeats = std::max(1, std::atoi(argv[2]));
  for (int i = 3; i < argc; ++i) {
    std::vector<double> loads, first, encodes, decodes;
    std::size_t tokens = 0;
    for (int r = 0; r < repeats; ++r) {
      auto tokenizer = nibble::Result<nibble::TextTokenizer>(nibble::Error{});
      loads.push_back(seconds([&] { tokenizer = nibble::TextTokenizer::load(argv[i]); }));
      if (!tokenizer) {
        std::fprintf(stderr, "%s\n", tokenizer.error().message.c_str());
        return 1;
      }
      std::vector<std::int32_t> ids;
      first.push_back(seconds([&] { ids = tokenizer->encode(*text, false); }));
      encodes.push_back(seconds([&] { ids = tokenizer->encode(*text, false); }));
      std::string back;
      decodes.push_back(seconds([&] { back = tokenizer->decode(ids); }));
      tokens = ids.size();
    }
    std::printf(
        "{\"model\": \"%s\", \"bytes\": %zu, \"tokens\": %zu, \"load\": %.6f, \"first\": %.6f, \"again\": %.6f, "
        "\"decode\": %.6f}\n",
        argv[i], text->size(), tokens, median(loads), median(first), median(encodes), median(decodes));
  }
}
