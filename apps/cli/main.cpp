// nibble: every verb is a thin face of the library in include/nibble.
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>

#include "command_line.hpp"
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

int run_program(int argc, char** argv) {
  // Threads that compute allocate next to nothing, and an arena for each would take 64 MB of a limited address space.
  ::mallopt(M_ARENA_MAX, 1);
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond `ulimit -f` is an error of write(), which is reported and cleaned up
  nibble::cli::remember_command(argc, argv);
  return nibble::cli::run_words({argv + std::min(argc, 1), argv + argc});
}

}  // namespace

int main(int argc, char** argv) {
  std::set_terminate(on_terminate);
  fill_standard_streams();
  nibble::name_files_that_are_cut();
  try {
    return run_program(argc, argv);
  } catch (const std::bad_alloc&) {
    say_out_of_memory();
    return out_of_memory_status;
  } catch (const std::exception& problem) {
    say_defect(problem);
    return 1;
  }
}
