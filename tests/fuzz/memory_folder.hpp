// A folder on the memory disk, for readers that take paths.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

// Files stay open, so that giving one a new content is two calls of the system. Gone at the end.
class MemoryFolder {
 public:
  MemoryFolder() {
    namespace fs = std::filesystem;
    static int count = 0;
    path_ = (fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) /
            ("nibble-fuzz-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    fs::create_directories(path_);
  }
  ~MemoryFolder() {
    for (const auto& [name, file] : files_) ::close(file);
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  MemoryFolder(const MemoryFolder&) = delete;
  MemoryFolder& operator=(const MemoryFolder&) = delete;

  void put(const std::string& name, std::string_view bytes) {
    auto found = files_.find(name);
    if (found == files_.end())
      found = files_.emplace(name, ::open((path_ / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)).first;
    const bool done = ::ftruncate(found->second, 0) == 0 &&
                      ::pwrite(found->second, bytes.data(), bytes.size(), 0) == ssize_t(bytes.size());
    if (!done) {
      std::perror("the memory disk cannot be written");
      ::_exit(2);
    }
  }
  void drop(const std::string& name) {
    const auto found = files_.find(name);
    if (found == files_.end()) return;
    ::close(found->second);
    files_.erase(found);
    ::unlink((path_ / name).c_str());
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::map<std::string, int> files_;
};
