#include "io/folder.hpp"

#include <dirent.h>
#include <ftw.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

namespace nibble {

Result<std::vector<std::string>> names_in_folder(const std::filesystem::path& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::opendir(folder.c_str()), ::closedir);
  const auto refused = [&](int code) {
    if (code == ENOMEM) throw std::bad_alloc();
    return error(code == ENOENT ? Errc::not_found : Errc::io_failure, "{}: cannot list: {}", folder.string(),
                 std::strerror(code));
  };
  if (!list) return refused(errno);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(list.get());
    if (!entry) break;
    if (const std::string_view name = entry->d_name; name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return refused(errno);
  return names;
}

void remove_folder(const char* folder) noexcept {
  ::nftw(
      folder,
      [](const char* path, const struct stat*, int, struct FTW*) {
        ::remove(path);
        return 0;
      },
      8, FTW_DEPTH | FTW_PHYS);
}

}  // namespace nibble
