// A small coverage-guided fuzzer, so that fuzzing needs nothing but the compiler that builds Nibble: mutate an input of
// the corpus, run it, keep it if it reached a place (or a power of two of visits to it) that no input had reached.
//
//   NAME_fuzz [--executions N] [--seed N]   so many inputs, the same ones each time
//     --seconds S       that long instead
//     --corpus FOLDER   begins with what is there, and puts there what reached something new
//     --places FILE     writes the addresses of the places that all inputs reached (tools/fuzz/coverage.sh reads them)
//   NAME_fuzz FILE...                       runs the files once: to see a finding again
#include <sanitizer/common_interface_defs.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
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

constexpr std::size_t max_input_bytes = 1 << 15;
constexpr int max_seconds_of_one_input = 20;

// Never destroyed: what the sanitizers find at the very end is saved, too.
std::string& current_input = *new std::string;
std::string& finding_path = *new std::string;

// Called by the sanitizers before they end the process, and for signals: the input must outlive it.
void save_finding() {
  std::FILE* file = std::fopen(finding_path.c_str(), "wb");
  if (!file) return;
  std::fwrite(current_input.data(), 1, current_input.size(), file);
  std::fclose(file);
  std::fprintf(stderr, "the input is in %s; give it to this program to see the finding again\n", finding_path.c_str());
}

bool run(const std::string& input) {
  // In time of the processor: a machine that is busy, or stops for a while, is no finding.
  constexpr itimerval limit = {{0, 0}, {max_seconds_of_one_input, 0}}, none = {};
  current_input = input;
  setitimer(ITIMER_PROF, &limit, nullptr);
  const bool taken = fuzz_one(input);
  setitimer(ITIMER_PROF, &none, nullptr);
  return taken;
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, std::vector<std::string> words) : random_(seed), words_(std::move(words)) {}

  std::size_t below(std::size_t end) { return end ? random_() % end : 0; }

  // `taken`: inputs of the corpus that the reader took.
  std::string mutate(const std::vector<std::string>& corpus, const std::vector<std::size_t>& taken) {
    // What is refused leads to further refusals, so half of the time start from what was taken. Late additions reached
    // rare places: else prefer the newest.
    const std::size_t newest = corpus.size() < 32 ? corpus.size() : 32;
    std::string input = corpus[below(2)   ? taken[below(taken.size())]
                               : below(2) ? below(corpus.size())
                                          : corpus.size() - 1 - below(newest)];
    for (std::size_t step = 0, steps = std::size_t(1) << below(4); step < steps; step++) change(input, corpus);
    if (input.size() > max_input_bytes) input.resize(max_input_bytes);
    return input;
  }

 private:
  void change(std::string& input, const std::vector<std::string>& corpus) {
    // Pieces are mostly shorter than a quarter of the input: what is torn to pieces gets nowhere.
    const int bits = std::clamp(int(std::bit_width(input.size())) - 2, 3, 10);
    const std::size_t at = below(input.size() + 1), length = below(std::size_t(1) << below(std::size_t(bits)));
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

}  // namespace

// A reader that believes a length it was told would ask for terabytes: any allocation over 256 MB is a finding. A short
// quarantine and short stacks of allocations make three times as many inputs per second; for a finding, set
// ASAN_OPTIONS.
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=256:allocator_may_return_null=0:hard_rss_limit_mb=4096:"
         "detect_stack_use_after_return=0:quarantine_size_mb=4:thread_local_quarantine_size_kb=64:malloc_context_size="
         "4";
}

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Settings {
  std::uint64_t executions = 10'000, seed = 1;
  double seconds = 0;
  fs::path corpus, places;
  std::vector<std::string> files;
};

Settings read_arguments(int argc, char** argv) {
  Settings out;
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (argument == "--executions")
      out.executions = std::strtoull(value, nullptr, 10);
    else if (argument == "--seconds")
      out.seconds = std::atof(value);
    else if (argument == "--seed")
      out.seed = std::strtoull(value, nullptr, 10);
    else if (argument == "--corpus")
      out.corpus = value;
    else if (argument == "--places")
      out.places = value;
    else {
      out.files.push_back(argument);
      continue;
    }
    i++;
  }
  return out;
}

std::string file_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Corpus {
  std::vector<std::string> inputs;
  std::vector<std::size_t> taken;  // those that the reader took

  void add(std::string input, bool was_taken) {
    if (was_taken) taken.push_back(inputs.size());
    inputs.push_back(std::move(input));
  }
};

// The seeds, each taken by the reader, and the inputs that an earlier run kept.
Corpus first_inputs(const Settings& settings) {
  Corpus corpus;
  for (std::string& seed : fuzz_seeds()) {
    if (!run(seed)) {
      std::fprintf(stderr, "seed %zu is refused by the reader, so it is no seed\n", corpus.inputs.size());
      std::exit(2);
    }
    corpus.add(std::move(seed), true);
  }
  if (corpus.inputs.empty()) {
    std::fprintf(stderr, "there are no seeds\n");
    std::exit(2);
  }
  if (settings.corpus.empty()) return corpus;
  fs::create_directories(settings.corpus);
  std::vector<fs::path> kept;
  for (const auto& entry : fs::directory_iterator(settings.corpus)) kept.push_back(entry.path());
  std::sort(kept.begin(), kept.end());
  for (const fs::path& path : kept) {
    std::string input = file_bytes(path);
    const bool taken = run(input);
    corpus.add(std::move(input), taken);
  }
  return corpus;
}

void write_places(const fs::path& path, const std::vector<std::string>& corpus) {
  coverage_keep_places();
  for (const std::string& input : corpus) run(input);
  std::ofstream out(path);
  for (const std::uintptr_t place : coverage_kept_places()) out << std::hex << place << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = read_arguments(argc, argv);
  const std::string name = fs::path(argv[0]).filename();
  finding_path = fs::absolute(name + ".finding");
  for (const std::string& path : settings.files) run(repository_file(fs::absolute(path)));
  if (!settings.files.empty()) return 0;

  __sanitizer_set_death_callback(save_finding);
  for (int signal : {SIGPROF, SIGABRT}) {
    std::signal(signal, [](int number) {
      std::fprintf(stderr, "%s\n", number == SIGPROF ? "one input ran too long" : "aborted");
      save_finding();
      _exit(1);
    });
  }

  Corpus corpus = first_inputs(settings);
  coverage_found_new();
  const std::size_t begun_with = corpus.inputs.size();

  Mutator mutator(settings.seed, fuzz_words());
  std::uint64_t executions = 0, taken = 0;
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  while (settings.seconds > 0 ? elapsed() < settings.seconds : executions < settings.executions) {
    std::string input = mutator.mutate(corpus.inputs, corpus.taken);
    const bool was_taken = run(input);
    taken += was_taken;
    executions++;
    if (!coverage_found_new()) continue;
    if (!settings.corpus.empty())
      std::ofstream(settings.corpus / (std::to_string(settings.seed) + "-" + std::to_string(executions)),
                    std::ios::binary)
          << input;
    corpus.add(std::move(input), was_taken);
  }
  const double seconds = elapsed();
  std::printf(
      "%s: %llu executions (%.0f per second), %.1f %% taken, %zu inputs to begin with, %zu that reached something "
      "new\n",
      name.c_str(), static_cast<unsigned long long>(executions), double(executions) / seconds,
      executions ? 100.0 * double(taken) / double(executions) : 0.0, begun_with, corpus.inputs.size() - begun_with);
  if (!settings.places.empty()) write_places(settings.places, corpus.inputs);
}
