#include "engine/available_memory.hpp"

#include <algorithm>
#include <fstream>
#include <string>

namespace nibble {
namespace {

std::uint64_t from_meminfo(const std::string& wanted) {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (std::uint64_t kilobytes; file >> key >> kilobytes; std::getline(file, unit))
    if (key == wanted) return kilobytes * 1024;
  return 0;
}

// The number in a cgroup file; 0 if it is absent or "max".
std::uint64_t from_cgroup(const char* name) {
  std::ifstream file(std::string("/sys/fs/cgroup/") + name);
  std::uint64_t value = 0;
  return file >> value ? value : 0;
}

}  // namespace

std::uint64_t total_memory() {
  const std::uint64_t machine = from_meminfo("MemTotal:"), limit = from_cgroup("memory.max");
  return limit ? std::min(machine, limit) : machine;
}

std::uint64_t available_memory() {
  const std::uint64_t machine = from_meminfo("MemAvailable:"), limit = from_cgroup("memory.max"),
                      used = from_cgroup("memory.current");
  if (!limit) return machine;
  // The cgroup counts page cache as used, but gives it back on demand; taking half of it is the cautious reading.
  return std::min(machine, limit > used / 2 ? limit - used / 2 : 0);
}

}  // namespace nibble
