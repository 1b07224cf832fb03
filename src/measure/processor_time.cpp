#include "measure/processor_time.hpp"

#include <time.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "io/folder.hpp"

namespace nibble {
namespace {

// /proc/self/task/N/schedstat: nanoseconds on a processor, nanoseconds on a run queue, turns.
std::optional<double> waiting_seconds() {
  const auto tasks = names_in_folder("/proc/self/task");
  if (!tasks) return {};
  std::optional<double> sum;
  for (const std::string& task : *tasks) {
    std::ifstream file("/proc/self/task/" + task + "/schedstat");
    double used = 0, waited = 0;
    if (file >> used >> waited) sum = sum.value_or(0) + waited / 1e9;
  }
  return sum;
}

// The eighth number of "cpu ..." in /proc/stat, in ticks.
double stolen_seconds() {
  std::ifstream file("/proc/stat");
  std::string name;
  double ticks = 0;
  if (!(file >> name) || name != "cpu") return 0;
  for (int field = 0; field < 8; ++field)
    if (!(file >> ticks)) return 0;
  return ticks / double(::sysconf(_SC_CLK_TCK));
}

}  // namespace

ProcessorTime processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return {double(used.tv_sec) + double(used.tv_nsec) * 1e-9, waiting_seconds(), stolen_seconds()};
}

}  // namespace nibble
