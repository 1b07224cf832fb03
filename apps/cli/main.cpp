// nibble: every verb is a thin face of the library in include/nibble.
#include <csignal>
#include <new>

#include "common.hpp"

int main(int argc, char** argv) {
  using namespace nibble::cli;
  CLI::App app("Nibble loads, measures, quantizes and runs language models at any precision.", "nibble");
  app.set_version_flag("--version", NIBBLE_VERSION);
  app.require_subcommand(1);
  Verb run;
  for (const auto add : {add_doctor, add_inspect, add_estimate, add_quantize, add_run, add_chat, add_compare, add_eval,
                         add_tokenize, add_bench})
    add(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  }
  watch_interrupt();
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond `ulimit -f` is an error of write(), which is reported and cleaned up
  try {
    return run();
  } catch (const std::bad_alloc&) {
    return fail({nibble::Errc::out_of_memory,
                 "out of memory: the system refused to give more; free some, or raise the "
                 "limit (ulimit -v, a container's limit)"});
  }
}
