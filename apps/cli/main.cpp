// nibble: every verb is a thin face of the library in include/nibble.
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>
#include <sstream>

#include "common.hpp"
#include "nibble/cut_files.hpp"
#include "origin.hpp"

namespace {

constexpr int out_of_memory_status = 1;

// Where not even a sentence can be put together: takes no memory.
void say_out_of_memory() {
  constexpr char text[] =
      "nibble: out of memory: the system refused to give more; free some, or raise the limit (ulimit -v, a "
      "container's limit)\n";
  [[maybe_unused]] const ssize_t written = ::write(2, text, sizeof text - 1);
}

// What no verb expects is a defect of ours; its own words are worth more than none.
void say_defect(const std::exception& problem) {
  nibble::cli::complain(std::string("nibble: a defect in Nibble, please report it: ") + problem.what() + "\n");
}

// An allocation that fails where C++ allows no exception, in a destructor of a library, comes here.
void on_terminate() {
  try {
    if (std::current_exception()) std::rethrow_exception(std::current_exception());
  } catch (const std::bad_alloc&) {
    say_out_of_memory();
    ::_exit(out_of_memory_status);
  } catch (const std::exception& problem) {
    say_defect(problem);
  } catch (...) {
  }
  std::abort();
}

// A standard stream that was closed leaves its number to the next file that is opened, and what is meant for a reader
// would be written there. What stands in its place can be neither read nor written.
void fill_standard_streams() {
  for (const int stream : {0, 1, 2})
    if (::fcntl(stream, F_GETFD) < 0) (void)::open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);
}

int parse_and_run(int argc, char** argv) {
  using namespace nibble::cli;
  remember_command(argc, argv);
  CLI::App app("Nibble loads, measures, quantizes and runs language models at any precision.", "nibble");
  app.set_version_flag("--version", NIBBLE_VERSION);
  app.require_subcommand(1);
  Verb run;
  for (const auto add : {add_doctor, add_inspect, add_estimate, add_explain, add_quantize, add_verify, add_run,
                         add_chat, add_compare, add_eval, add_tokenize, add_bench})
    add(app, run);
  // Where the parser stood when it stumbled, so that the hint names the right help.
  const auto chosen = [&] {
    CLI::App* at = &app;
    std::string words = "nibble";
    for (int i = 1; i < argc; ++i) {
      const auto verbs = at->get_subcommands({});
      const auto found =
          std::find_if(verbs.begin(), verbs.end(), [&](const CLI::App* verb) { return verb->get_name() == argv[i]; });
      if (found == verbs.end()) break;
      at = *found;
      words += " " + at->get_name();
    }
    return std::pair(at, words);
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) {  // --help, --version
      std::ostringstream text;
      const int status = app.exit(problem, text, text);
      print(text.str());
      return status;
    }
    const auto [at, words] = chosen();
    std::string what = problem.what(), verbs;
    for (const CLI::App* verb : at->get_subcommands({})) verbs += (verbs.empty() ? "" : ", ") + verb->get_name();
    if (!verbs.empty() && problem.get_name() == "RequiredError") {
      const int next = int(std::count(words.begin(), words.end(), ' ')) + 1;
      what = (next < argc ? "unknown verb \"" + std::string(argv[next]) + "\"" : std::string("a verb is missing")) +
             "; there are " + verbs;
    }
    complain(fmt::format("nibble: {}\n`{} --help` says what is expected.\n", what, words));
    return 2;
  }
  // Threads that compute allocate next to nothing, and an arena for each would take 64 MB of a limited address space.
  ::mallopt(M_ARENA_MAX, 1);
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond `ulimit -f` is an error of write(), which is reported and cleaned up
  return run();
}

}  // namespace

int main(int argc, char** argv) {
  std::set_terminate(on_terminate);
  fill_standard_streams();
  nibble::name_files_that_are_cut();
  try {
    return parse_and_run(argc, argv);
  } catch (const std::bad_alloc&) {
    say_out_of_memory();
    return out_of_memory_status;
  } catch (const std::exception& problem) {
    say_defect(problem);
    return 1;
  }
}
