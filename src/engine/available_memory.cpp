#include "engine/available_memory.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "base/thread_pool.hpp"

namespace nibble {
namespace {

std::uint64_t from_meminfo(const std::string& wanted) {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (std::uint64_t kilobytes; file >> key >> kilobytes; std::getline(file, unit))
    if (key == wanted) return kilobytes * 1024;
  return 0;
}

// What a limit on the address space (ulimit -v) leaves; the largest number if there is none.
std::uint64_t under_address_limit() {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return ~std::uint64_t(0);
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages;
  const std::uint64_t used = pages * std::uint64_t(::sysconf(_SC_PAGESIZE));
  return limit.rlim_cur > used ? limit.rlim_cur - used : 1;  // 0 would mean: not known
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

std::uint64_t address_overhead(int threads) {
  struct rlimit space {
  }, stack{};
  if (::getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur == RLIM_INFINITY) return 0;
  if (::getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur == RLIM_INFINITY) stack.rlim_cur = 8 << 20;
  // Loading and computing have a pool each.
  return 2 * std::uint64_t((threads > 0 ? threads : usable_cores()) - 1) * stack.rlim_cur;
}

std::uint64_t available_memory() {
  const std::uint64_t machine = from_meminfo("MemAvailable:"), limit = from_cgroup("memory.max"),
                      used = from_cgroup("memory.current");
  const std::uint64_t free = std::min(machine, under_address_limit());
  if (!limit) return free;
  // The cgroup counts page cache as used, but gives it back on demand; taking half of it is the cautious reading.
  return std::min(free, limit > used / 2 ? limit - used / 2 : 1);
}

}  // namespace nibble
