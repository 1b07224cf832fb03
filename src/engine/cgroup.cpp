#include "engine/cgroup.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace nibble {
namespace {

namespace fs = std::filesystem;

// The names of one version's files. Of version 2 there are two limits: above `high` a group is not ended, but slowed
// down until it gives back, which is no way to compute.
struct Version {
  std::array<const char*, 2> mounts;  // under root; null: there is one
  std::array<const char*, 2> limits;
  const char* used;
  std::array<std::string_view, 2> reclaimable;  // keys of memory.stat
};
constexpr Version version2 = {{"sys/fs/cgroup", "sys/fs/cgroup/unified"},
                              {"memory.max", "memory.high"},
                              "memory.current",
                              {"inactive_file", "active_file"}};
constexpr Version version1 = {{"sys/fs/cgroup/memory", nullptr},
                              {"memory.limit_in_bytes", nullptr},
                              "memory.usage_in_bytes",
                              {"total_inactive_file", "total_active_file"}};
constexpr std::uint64_t unlimited = std::uint64_t(1) << 62;  // version 1 writes "none" as nearly 2^63

std::optional<std::uint64_t> number(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> number_in(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  return std::getline(stream, line) ? number(line) : std::nullopt;
}

std::uint64_t reclaimable_in(const fs::path& group, const Version& version) {
  std::ifstream stream(group / "memory.stat");
  std::uint64_t sum = 0;
  for (std::string key, value; stream >> key >> value;)
    if (std::find(version.reclaimable.begin(), version.reclaimable.end(), key) != version.reclaimable.end())
      sum += std::min(number(value).value_or(0), unlimited);
  return sum;
}

void look_at(const fs::path& group, const Version& version, CgroupMemory& out) {
  std::uint64_t limit = unlimited;
  for (const char* name : version.limits)
    if (name) limit = std::min(limit, number_in(group / name).value_or(unlimited));
  if (limit == unlimited) return;
  const std::uint64_t used = number_in(group / version.used).value_or(0),
                      kept = used - std::min(used, reclaimable_in(group, version)),
                      left = limit > kept ? limit - kept : 1;
  if (out.limit == 0 || left < out.left) {
    out.left = left;
    out.left_of = limit;
  }
  out.limit = out.limit == 0 ? std::max<std::uint64_t>(limit, 1) : std::min(out.limit, limit);
}

// "0::/a/b" of version 2, "4:memory:/a/b" of version 1; empty: the mount's own group is all that is known.
fs::path group_of_process(const fs::path& root, bool second) {
  std::ifstream stream(root / "proc/self/cgroup");
  for (std::string line; std::getline(stream, line);) {
    const std::size_t first = line.find(':'), last = line.find(':', first == line.npos ? first : first + 1);
    if (last == line.npos) continue;
    std::string controllers = ",";
    controllers.append(line, first + 1, last - first - 1).append(",");
    if (second ? line.compare(0, first, "0") != 0 || controllers != ",," : controllers.find(",memory,") == line.npos)
      continue;
    fs::path path = fs::path(line.substr(last + 1)).relative_path();
    // A group outside what is mounted here is shown as "/../x": nothing of it can be read.
    return std::find(path.begin(), path.end(), "..") == path.end() ? path : fs::path();
  }
  return {};
}

}  // namespace

CgroupMemory cgroup_memory(const fs::path& root) {
  CgroupMemory out;
  for (const Version* version : {&version2, &version1}) {
    const fs::path group = group_of_process(root, version == &version2);
    for (const char* mount : version->mounts) {
      if (!mount) continue;
      // In a container the path may be the host's, of which the mount is the end: what is not there is passed over.
      for (fs::path at = group; !at.empty(); at = at.parent_path()) look_at(root / mount / at, *version, out);
      look_at(root / mount, *version, out);
    }
  }
  return out;
}

}  // namespace nibble
