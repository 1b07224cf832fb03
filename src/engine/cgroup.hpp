// The memory limits of the containers that this process runs in: Linux' control groups, of version 2 and 1.
// Source: the kernel's admin-guide/cgroup-v2 and admin-guide/cgroup-v1/memory.
#pragma once

#include <cstdint>
#include <filesystem>

namespace nibble {

struct CgroupMemory {
  std::uint64_t limit = 0;  // bytes, the lowest of this process's group and of all above it; 0: there is none
  // Bytes that all of them still leave, at least 1 where there is a limit: pages of files that the group caches are
  // given back on demand, and count as free.
  std::uint64_t left = 0;
  std::uint64_t left_of = 0;  // the limit that leaves so little
};

// `root`: where proc and sys lie; a test makes a tree of its own. Files that are absent or hold no number set no limit.
CgroupMemory cgroup_memory(const std::filesystem::path& root = "/");

}  // namespace nibble
