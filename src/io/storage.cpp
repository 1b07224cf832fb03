#include "io/storage.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/clock.hpp"

namespace nibble {
namespace {

struct Kind {
  std::uint32_t magic;
  const char* name;
  bool network;
};
// From statfs(2) and the kernel's linux/magic.h.
constexpr Kind kinds[] = {
    {0xef53, "ext4", false},      {0x58465342, "xfs", false},     {0x9123683e, "btrfs", false},
    {0x01021994, "tmpfs", false}, {0x794c7630, "overlay", false}, {0x2fc12fc1, "zfs", false},
    {0xf2f52010, "f2fs", false},  {0x858458f6, "ramfs", false},   {0x73717368, "squashfs", false},
    {0x6969, "nfs", true},        {0x517b, "smb", true},          {0xff534d42, "cifs", true},
    {0xfe534d42, "smb2", true},   {0x5346414f, "afs", true},      {0x00c36400, "ceph", true},
    {0x0bd00bd0, "lustre", true}, {0x47504653, "gpfs", true},     {0x19830326, "beegfs", true},
    {0x65735546, "fuse", true},   {0x01021997, "9p", true},       {0x786f4256, "vboxsf", true},
    {0xaad7aaea, "panfs", true},  {0x20030528, "orangefs", true}, {0x7461636f, "ocfs2", true},
    {0x01161970, "gfs2", true},
};

constexpr std::size_t direct_piece = std::size_t(4) << 20;
constexpr std::size_t direct_alignment = 4096;

}  // namespace

Storage storage_of_kind(std::uint64_t magic) {
  for (const Kind& kind : kinds)
    if (kind.magic == std::uint32_t(magic)) return {kind.name, kind.network};
  return {fmt::format("{:#x}", std::uint32_t(magic)), false};
}

Result<Storage> storage_of(const std::filesystem::path& path) {
  struct statfs info {};
  if (::statfs(path.c_str(), &info) != 0)
    return error(Errc::io_failure, "{}: cannot ask where it lies: {}", path.string(), std::strerror(errno));
  return storage_of_kind(std::uint64_t(info.f_type));
}

double cached_share(const MappedFile& file) {
  const std::size_t page = std::size_t(::sysconf(_SC_PAGESIZE)), size = file.bytes().size();
  if (size == 0) return 0;
  constexpr std::size_t pages_at_once = 1 << 16;
  std::vector<unsigned char> held(pages_at_once);
  std::size_t cached = 0;
  const std::size_t pages = (size + page - 1) / page;
  for (std::size_t first = 0; first < pages; first += pages_at_once) {
    const std::size_t count = std::min(pages_at_once, pages - first);
    if (::mincore(const_cast<std::byte*>(file.bytes().data()) + first * page,
                  std::min(count * page, size - first * page), held.data()) != 0)
      return 1;
    cached += std::size_t(std::count_if(held.begin(), held.begin() + std::ptrdiff_t(count),
                                        [](unsigned char state) { return state & 1; }));
  }
  return double(cached) / double(pages);
}

std::optional<double> uncached_read_rate(const std::filesystem::path& path, std::uint64_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (fd < 0) return {};
  void* memory = std::aligned_alloc(direct_alignment, direct_piece);
  std::uint64_t done = 0;
  const double start = now_seconds();
  bool failed = memory == nullptr;
  while (!failed && done < limit) {
    const ssize_t got = ::read(fd, memory, direct_piece);
    if (got < 0) failed = true;
    if (got <= 0) break;
    done += std::uint64_t(got);
    if (std::size_t(got) < direct_piece) break;  // the end
  }
  const double seconds = now_seconds() - start;
  std::free(memory);
  ::close(fd);
  if (failed || done < (1 << 20) || seconds <= 0) return {};
  return double(done) / seconds;
}

}  // namespace nibble
