// A small coverage-guided fuzzer, so that fuzzing needs nothing but the compiler that builds Nibble: mutate an input of
// the corpus, run it, keep it if it reached a place (or a power of two of visits to it) that no input had reached.
// Usage: NAME_fuzz [--seconds S] [--seed N] | NAME_fuzz FILE...  (runs the files once: to reproduce a finding)
#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

#include <bit>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "coverage.hpp"
#include "fuzz.hpp"

namespace {

constexpr std::size_t max_input_bytes = 1 << 16;
constexpr unsigned max_seconds_of_one_input = 20;

std::string current_input;
std::string finding_path;

// Called by the sanitizers before they end the process, and for signals: the input must outlive it.
void save_finding() {
  std::FILE* file = std::fopen(finding_path.c_str(), "wb");
  if (!file) return;
  std::fwrite(current_input.data(), 1, current_input.size(), file);
  std::fclose(file);
  std::fprintf(stderr, "the input is in %s; give it to this program to see the finding again\n", finding_path.c_str());
}

void run(const std::string& input) {
  current_input = input;
  alarm(max_seconds_of_one_input);
  fuzz_one(input);
  alarm(0);
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, std::vector<std::string> words) : random_(seed), words_(std::move(words)) {}

  std::size_t below(std::size_t end) { return end ? random_() % end : 0; }

  std::string mutate(const std::vector<std::string>& corpus) {
    // Late additions reached rare places: half of the time start from one of the newest.
    const std::size_t newest = corpus.size() < 32 ? corpus.size() : 32;
    std::string input = corpus[below(2) ? below(corpus.size()) : corpus.size() - 1 - below(newest)];
    for (std::size_t step = 0, steps = std::size_t(1) << below(5); step < steps; step++) change(input, corpus);
    if (input.size() > max_input_bytes) input.resize(max_input_bytes);
    return input;
  }

 private:
  void change(std::string& input, const std::vector<std::string>& corpus) {
    const std::size_t at = below(input.size() + 1), length = below(std::size_t(1) << below(10));
    switch (below(9)) {
      case 0:
        if (at < input.size()) input[at] ^= char(1 << below(8));
        break;
      case 1:
        if (at < input.size()) input[at] = char(below(256));
        break;
      case 2:
        input.insert(at, length, char(below(256)));
        break;
      case 3:
        input.erase(at, length);
        break;
      case 4:
        input.resize(below(2) ? at : input.size());
        break;
      case 5: {  // an integer at the edge of its type, in binary or as text
        static constexpr std::uint64_t edges[] = {0,
                                                  1,
                                                  0x7f,
                                                  0xff,
                                                  0x7fff,
                                                  0xffff,
                                                  0x7fffffff,
                                                  0xffffffff,
                                                  0x7fffffffffffffff,
                                                  0xffffffffffffffff,
                                                  1ull << 40,
                                                  1ull << 63};
        const std::uint64_t edge = edges[below(std::size(edges))] + below(3) - 1;
        const std::string text = std::to_string(below(2) ? std::int64_t(edge) : std::int64_t(below(300)));
        if (below(2))
          input.replace(at, below(4), text);
        else if (at + 8 <= input.size())
          std::memcpy(&input[at], &edge, std::size_t(1) << below(4));
        break;
      }
      case 6:
        if (!words_.empty()) input.insert(at, words_[below(words_.size())]);
        break;
      case 7: {  // a piece of this or another input
        const std::string other = below(2) ? input : corpus[below(corpus.size())];
        if (!other.empty()) input.insert(at, other, below(other.size()), length);
        break;
      }
      default: {  // the end of another input
        const std::string& other = corpus[below(corpus.size())];
        if (below(8) == 0 && !other.empty()) input.replace(at, std::string::npos, other, below(other.size()));
      }
    }
  }

  std::mt19937_64 random_;
  std::vector<std::string> words_;
};

// Whether the last run reached something new; remembers it.
bool reached_something_new() {
  static std::array<unsigned char, coverage_places> seen;
  bool found = false;
  for (std::size_t group = 0; group < coverage_places; group += sizeof(std::uint64_t)) {
    std::uint64_t eight;  // most places are never reached by one input
    std::memcpy(&eight, &coverage_hits[group], sizeof eight);
    if (eight == 0) continue;
    for (std::size_t place = group; place < group + sizeof eight; place++) {
      const auto visits = static_cast<unsigned char>(std::bit_floor(unsigned(coverage_hits[place])));
      found |= (visits & ~seen[place]) != 0;
      seen[place] |= visits;
    }
  }
  coverage_hits.fill(0);
  return found;
}

}  // namespace

// A reader that believes a length it was told would ask for terabytes: any allocation over 1 GB is a finding.
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=1024:allocator_may_return_null=0:hard_rss_limit_mb=4096:detect_stack_use_after_return="
         "0";
}

std::string repository_file(const std::string& path) {
  std::ifstream file(std::filesystem::path(NIBBLE_SOURCE_DIR) / path, std::ios::binary);
  if (!file) std::fprintf(stderr, "seed %s is missing\n", path.c_str()), std::exit(2);
  return {std::istreambuf_iterator<char>(file), {}};
}

int main(int argc, char** argv) {
  double seconds = 10;
  std::uint64_t seed = 1;
  std::vector<std::string> files;
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    if (argument == "--seconds" && i + 1 < argc)
      seconds = std::atof(argv[++i]);
    else if (argument == "--seed" && i + 1 < argc)
      seed = std::strtoull(argv[++i], nullptr, 10);
    else
      files.push_back(argument);
  }
  const std::string name = std::filesystem::path(argv[0]).filename();
  finding_path = std::filesystem::absolute(name + ".finding");
  for (const std::string& path : files) run(repository_file(std::filesystem::absolute(path)));
  if (!files.empty()) return 0;

  __sanitizer_set_death_callback(save_finding);
  for (int signal : {SIGALRM, SIGABRT}) {
    std::signal(signal, [](int number) {
      std::fprintf(stderr, "%s\n", number == SIGALRM ? "one input ran too long" : "aborted");
      save_finding();
      _exit(1);
    });
  }

  std::vector<std::string> corpus = fuzz_seeds();
  if (corpus.empty()) std::fprintf(stderr, "%s has no seeds\n", name.c_str()), std::exit(2);
  for (const std::string& input : corpus) run(input);
  reached_something_new();
  const std::size_t seeds = corpus.size();

  Mutator mutator(seed, fuzz_words());
  std::uint64_t executions = seeds;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (; Clock::now() < end; executions++) {
    std::string input = mutator.mutate(corpus);
    run(input);
    if (reached_something_new()) corpus.push_back(std::move(input));
  }
  std::printf("%s: %llu executions (%.0f per second), %zu seeds, %zu inputs that reached something new\n", name.c_str(),
              static_cast<unsigned long long>(executions), double(executions) / seconds, seeds, corpus.size() - seeds);
}
