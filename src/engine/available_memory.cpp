#include "engine/available_memory.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/thread_pool.hpp"
#include "engine/cgroup.hpp"

namespace nibble {
namespace {

std::uint64_t from_meminfo(const std::string& wanted) {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (std::uint64_t kilobytes; file >> key >> kilobytes; std::getline(file, unit))
    if (key == wanted) return kilobytes * 1024;
  return 0;
}

// 0: the address space has no limit.
std::uint64_t address_limit() {
  struct rlimit limit {};
  return ::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : 0;
}

std::uint64_t address_space_in_use() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages;
  return pages * std::uint64_t(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::uint64_t total_memory() {
  const std::uint64_t machine = from_meminfo("MemTotal:"), limit = cgroup_memory().limit;
  return limit ? std::min(machine, limit) : machine;
}

std::uint64_t address_overhead(int threads) {
  if (address_limit() == 0) return 0;
  struct rlimit stack {};
  if (::getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur == RLIM_INFINITY) stack.rlim_cur = 8 << 20;
  // Loading and computing have a pool each.
  return 2 * std::uint64_t((threads > 0 ? threads : usable_cores()) - 1) * stack.rlim_cur;
}

AvailableMemory available_memory() {
  AvailableMemory out{from_meminfo("MemAvailable:"), MemoryBound::machine, 0};
  const auto cut = [&](std::uint64_t bytes, MemoryBound bound, std::uint64_t limit) {
    if (limit > 0 && (out.bytes == 0 || bytes < out.bytes)) out = {bytes, bound, limit};
  };
  const CgroupMemory container = cgroup_memory();
  cut(container.left, MemoryBound::container, container.left_of);
  if (const std::uint64_t limit = address_limit()) {
    const std::uint64_t used = address_space_in_use();
    cut(limit > used ? limit - used : 1, MemoryBound::address_space, limit);
  }
  return out;
}

}  // namespace nibble
