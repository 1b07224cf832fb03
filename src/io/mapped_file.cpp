#include "io/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

namespace nibble {

Error system_error(const std::filesystem::path& path, std::string_view what, int code) {
  const std::string_view hint = code == ENOSPC || code == EDQUOT ? "; free some space and try again"
                                : code == EFBIG                  ? "; files may not grow so large here (ulimit -f)"
                                : code == ENOMEM ? "; too little memory or address space is left (ulimit -v)"
                                : code == EROFS  ? "; name a place that can be written"
                                : code == ENOENT ? "; check the path"
                                : code == EACCES ? "; check its permissions"
                                                 : "";
  const Errc kind = code == ENOENT ? Errc::not_found : code == ENOMEM ? Errc::out_of_memory : Errc::io_failure;
  return error(kind, "{}: {}: {}{}", path.string(), what, std::strerror(code), hint);
}

void sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

namespace {

// What is mapped now. A signal handler reads it, so a place is taken and given back in one step, and nothing moves.
struct Mapping {
  std::atomic<const std::byte*> begin{nullptr};
  std::size_t bytes = 0;
  const char* path = nullptr;
};
Mapping mappings[8192];
std::mutex changing_mappings;

void remember(const std::byte* begin, std::size_t bytes, const char* path) {
  const std::scoped_lock lock(changing_mappings);
  for (Mapping& place : mappings) {
    if (place.begin.load()) continue;
    place.bytes = bytes;
    place.path = path;
    place.begin.store(begin);
    return;
  }
}

void forget(const std::byte* begin) {
  const std::scoped_lock lock(changing_mappings);
  for (Mapping& place : mappings)
    if (place.begin.load() == begin) return place.begin.store(nullptr);
}

}  // namespace

const char* MappedFile::path_of(const std::byte* address) noexcept {
  for (const Mapping& place : mappings) {
    const std::byte* const begin = place.begin.load();
    if (begin && address >= begin && address < begin + place.bytes) return place.path;
  }
  return nullptr;
}

Result<std::shared_ptr<MappedFile>> MappedFile::open(const std::filesystem::path& path) {
  std::shared_ptr<MappedFile> file(new MappedFile());
  file->path_ = path;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a named pipe must not hang
  if (fd < 0) return system_error(path, "cannot open", errno);
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return error(Errc::bad_request, "{}: not a regular file", path.string());
  }
  file->size_ = std::size_t(info.st_size);
  if (file->size_ > 0) {
    void* data = ::mmap(nullptr, file->size_, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
      const int code = errno;
      ::close(fd);
      return system_error(path, "cannot map", code);
    }
    file->data_ = static_cast<const std::byte*>(data);
    remember(file->data_, file->size_, file->path_.c_str());
  }
  ::close(fd);
  return file;
}

MappedFile::~MappedFile() {
  if (!data_) return;
  forget(data_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

bool is_own_file(const std::filesystem::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1;
}

Result<std::string> read_text(const std::filesystem::path& path, std::size_t limit) {
  NIBBLE_TRY(const auto file, MappedFile::open(path));
  if (file->bytes().size() > limit)
    return error(Errc::corrupt_file, "{}: {} bytes, more than the {} such a file may have", path.string(),
                 file->bytes().size(), limit);
  return std::string(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
}

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& path) {
  AtomicFile file;
  file.path_ = path;
  file.temporary_ = path;
  file.temporary_ += fmt::format(".partial-{}", ::getpid());
  // A link under the temporary name is not ours, and would lead elsewhere.
  file.fd_ = ::open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file.fd_ < 0) return system_error(path, "cannot create", errno);
  return file;
}

std::filesystem::path AtomicFile::unfinished(const std::filesystem::path& path) {
  std::filesystem::path name = path;
  return name += ".partial";
}

Result<AtomicFile> AtomicFile::resume(const std::filesystem::path& path, std::uint64_t bytes) {
  AtomicFile file;
  file.path_ = path;
  file.temporary_ = unfinished(path);
  file.stays_ = true;
  file.fd_ = ::open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file.fd_ < 0) return system_error(file.temporary_, "cannot create", errno);
  if (!is_own_file(file.temporary_))
    return error(Errc::bad_request, "{}: is no file of its own, so nothing is written there; remove it",
                 file.temporary_.string());
  if (::ftruncate(file.fd_, off_t(bytes)) != 0 || ::lseek(file.fd_, 0, SEEK_END) < 0)
    return system_error(path, "cannot write", errno);
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept { *this = std::move(other); }

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(stays_, other.stays_);
  return *this;
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!stays_) ::unlink(temporary_.c_str());
}

Result<void> AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd_, bytes.data(), std::min(bytes.size(), std::size_t(1) << 30));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return system_error(path_, "cannot write", errno);
    bytes = bytes.subspan(std::size_t(done));
  }
  return {};
}

Result<void> AtomicFile::write(std::string_view text) {
  return write(std::as_bytes(std::span(text.data(), text.size())));
}

Result<void> AtomicFile::write_at(std::uint64_t place, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(fd_, bytes.data(), bytes.size(), off_t(place));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return system_error(path_, "cannot write", errno);
    bytes = bytes.subspan(std::size_t(done));
    place += std::uint64_t(done);
  }
  return {};
}

Result<void> AtomicFile::sync() {
  if (::fdatasync(fd_) != 0) return system_error(path_, "cannot write", errno);
  return {};
}

Result<void> AtomicFile::commit() {
  const std::filesystem::path parent = path_.parent_path();  // behind the renaming nothing may fail
  const int synced = ::fsync(fd_), code = errno, closed = ::close(std::exchange(fd_, -1));
  if (synced != 0 || closed != 0) {
    const int reason = synced != 0 ? code : errno;
    if (!stays_) ::unlink(temporary_.c_str());
    return system_error(path_, "cannot write", reason);
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    if (!stays_) ::unlink(temporary_.c_str());
    return system_error(path_, "cannot put in place", reason);
  }
  sync_folder(parent);
  return {};
}

}  // namespace nibble
