// How the program ends when it is told to: by Ctrl-C, by a batch system, by a terminal that goes away.
#include <time.h>

#include <atomic>
#include <csignal>

#include "common.hpp"

namespace nibble::cli {
namespace {

std::atomic<int> seen{0};  // the signal
std::atomic<std::int64_t> seen_at{0};

std::int64_t milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

void on_signal(int signal) {
  int none = 0;
  if (seen.compare_exchange_strong(none, signal)) {
    seen_at = milliseconds();
    return;
  }
  // One request may come twice: `timeout` sends it to the process and to its group. Files are tidied up meanwhile.
  if (milliseconds() - seen_at < 1000) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

void watch_interrupt() {
  struct sigaction action = {}, before = {};
  action.sa_handler = on_signal;  // without SA_RESTART: waiting for a line of input ends, too
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    ::sigaction(signal, nullptr, &before);
    if (signal == SIGHUP && before.sa_handler == SIG_IGN) continue;  // nohup
    ::sigaction(signal, &action, nullptr);
  }
}

bool interrupted() { return seen != 0; }

int interrupt_status() { return interrupted() ? 128 + seen : 0; }

void forget_interrupt() {
  int ctrl_c = SIGINT;
  seen.compare_exchange_strong(ctrl_c, 0);
}

}  // namespace nibble::cli
