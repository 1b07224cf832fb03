// The signal of a page whose file has become too short to have it.
#include "nibble/cut_files.hpp"

#include <unistd.h>

#include <csignal>
#include <cstring>

#include "io/mapped_file.hpp"

namespace nibble {
namespace {

// Here only what a signal handler may call: no memory, no streams.
void say(const char* text, std::size_t bytes) { [[maybe_unused]] const ssize_t written = ::write(2, text, bytes); }

void on_bus_error(int signal, siginfo_t* info, void*) {
  const char* const path = MappedFile::path_of(static_cast<const std::byte*>(info->si_addr));
  if (!path) {  // no file of ours: as if nobody had asked
    std::signal(signal, SIG_DFL);
    return;
  }
  constexpr char before[] = "nibble: ",
                 after[] =
                     ": has become shorter while it was read; take the file again, and leave it alone meanwhile\n";
  say(before, sizeof before - 1);
  for (const char* c = path; *c; ++c) say(static_cast<unsigned char>(*c) < 32 || *c == 127 ? "?" : c, 1);
  say(after, sizeof after - 1);
  ::_exit(1);
}

}  // namespace

void name_files_that_are_cut() {
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace nibble
