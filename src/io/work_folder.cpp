#include "io/work_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "io/folder.hpp"
#include "io/mapped_file.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

fs::path without_slash(const fs::path& target) {  // "out/" means "out"
  return target.has_filename() ? target : target.parent_path();
}
fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// Whether the file that is held is still the one under this name.
bool still_there(int fd, const fs::path& path) {
  struct stat held = {};
  struct stat named = {};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

// Who owns what is made beside `path`: this user, or whoever a network's file system makes of it.
uid_t owner_of_new_files(fs::path path) {
  path += fmt::format("-{}", ::getpid());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  struct stat info = {};
  if (fd < 0 || ::fstat(fd, &info) != 0) info.st_uid = ::geteuid();
  if (fd >= 0) {
    ::close(fd);
    ::unlink(path.c_str());
  }
  return info.st_uid;
}

// Takes the lock. A process that was killed keeps its own until its memory is taken down, which for gigabytes of mapped
// files lasts a while: two seconds are waited for that. Where a file system has no locks, nothing guards against a
// second process.
bool held_by_another(int lock) {
  for (int tries = 0; ::flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; ++tries) {
    if (tries == 40) return true;
    ::usleep(50'000);
  }
  return false;
}

}  // namespace

Result<void> WorkFolder::check_target(const fs::path& target, Target form, bool replace) {
  const fs::path name = without_slash(target), parent = parent_of(name);
  std::error_code code;
  if (fs::is_symlink(name, code))  // renaming would have to take the link's place
    return error(Errc::bad_request, "{}: is a link to {}; name that place itself", name.string(),
                 fs::read_symlink(name, code).string());
  const auto is_empty = [&] {
    const auto names = names_in_folder(name);
    return names && names->empty();
  };
  const bool may_be_filled = form == Target::folder && fs::is_directory(name, code) && is_empty();
  const bool may_be_replaced = replace && fs::is_directory(name, code) == (form == Target::folder);
  if (fs::exists(name, code) && !may_be_filled && !may_be_replaced)
    return error(Errc::bad_request, "{}: exists already; name a new {} or remove it first", name.string(),
                 form == Target::file ? "file" : "folder");
  if (!fs::is_directory(parent, code))
    return error(Errc::not_found, "{}: there is no folder {} to put it in; make that one first", name.string(),
                 parent.string());
  return {};
}

// A folder that others own or may have filled could lead elsewhere what is written into it.
Result<void> WorkFolder::check_own() const {
  const uid_t owner = owner_of_new_files(path_);
  for (const fs::path& path : {path_, output()}) {
    struct stat info = {};
    if (::lstat(path.c_str(), &info) != 0) {
      if (errno == ENOENT) continue;
      return system_error(path, "cannot look at it", errno);
    }
    if (!S_ISDIR(info.st_mode) || info.st_uid != owner)
      return error(Errc::bad_request, "{}: {}, so nothing is written there; move it away, or name another output",
                   path.string(), S_ISDIR(info.st_mode) ? "belongs to another user" : "is no folder of its own");
  }
  return {};
}

Result<WorkFolder> WorkFolder::open(const fs::path& target, Target form, bool replace) {
  WorkFolder folder;
  folder.form_ = form;
  folder.replace_ = replace;
  NIBBLE_CHECK(check_target(target, form, replace));
  folder.target_ = without_slash(target);
  folder.path_ = folder.target_;
  folder.path_ += ".partial";
  folder.reserve_ = std::make_unique<std::byte[]>(std::size_t(100) << 10);
  const fs::path lock = folder.path_ / "lock";
  for (int attempt = 0;; ++attempt) {
    if (::mkdir(folder.path_.c_str(), 0700) != 0) {
      if (errno != EEXIST) return system_error(folder.path_, "cannot create", errno);
      NIBBLE_CHECK(folder.check_own());
    }
    // The lock is the first to come and the last to go.
    std::error_code code;
    const auto found = names_in_folder(folder.path_);
    if (found && !found->empty() && !fs::exists(lock, code))
      return error(
          Errc::bad_request,
          "{}: stands where the work on {} would go, and is not of an earlier conversion; move it away, or name "
          "another output",
          folder.path_.string(), folder.target_.string());
    folder.lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (folder.lock_ < 0 && errno == ENOENT && attempt < 10) continue;  // its holder has just finished
    if (folder.lock_ < 0) return system_error(folder.path_, "cannot create", errno);
    if (held_by_another(folder.lock_))
      return error(Errc::bad_request,
                   "{}: another process is making this now, in {}; wait until it ends, or name another output",
                   folder.target_.string(), folder.path_.string());
    if (still_there(folder.lock_, lock)) break;
    ::close(std::exchange(folder.lock_, -1));
    if (attempt == 10) return error(Errc::io_failure, "{}: cannot be held; try again", folder.path_.string());
  }
  // The other process may have put its output in place since that was looked for.
  if (auto free = check_target(folder.target_, form, replace); !free) {
    folder.remove();
    return free.error();
  }
  std::error_code code;
  fs::create_directory(folder.output(), code);
  if (code) return system_error(folder.output(), "cannot create", code.value());
  return folder;
}

WorkFolder::WorkFolder(WorkFolder&& other) noexcept { *this = std::move(other); }

WorkFolder& WorkFolder::operator=(WorkFolder&& other) noexcept {
  std::swap(target_, other.target_);
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  std::swap(form_, other.form_);
  std::swap(replace_, other.replace_);
  std::swap(reserve_, other.reserve_);
  return *this;
}

WorkFolder::~WorkFolder() {
  if (lock_ >= 0) ::close(lock_);
}

Result<void> WorkFolder::empty_it() {
  NIBBLE_TRY(const std::vector<std::string> names, names_in_folder(path_));
  for (const std::string& name : names)
    if (name != "lock") remove_folder((path_ / name).c_str());
  return {};
}

Result<void> WorkFolder::clear() {
  NIBBLE_CHECK(empty_it());
  std::error_code code;
  fs::create_directory(output(), code);
  if (code) return system_error(path_, "cannot be cleared", code.value());
  return {};
}

Result<void> WorkFolder::put_in_place(const fs::path& made) {
  NIBBLE_CHECK(check_target(target_, form_, replace_));
  const fs::path parent = parent_of(target_);
  sync_folder(made);
  // A folder takes the place of another in one step, where the file system can; what was there goes with the rest.
  const bool exchanged = replace_ && form_ == Target::folder &&
                         ::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0;
  if (replace_ && form_ == Target::folder && !exchanged) ::rename(target_.c_str(), (path_ / "replaced").c_str());
  if (!exchanged && ::rename(made.c_str(), target_.c_str()) != 0)
    return system_error(target_, "cannot put in place", errno);
  sync_folder(parent);
  remove();
  return {};
}

void WorkFolder::remove() noexcept {
  reserve_.reset();
  try {
    (void)empty_it();
  } catch (const std::bad_alloc&) {  // what follows needs next to none, but takes the lock in any order
  }
  remove_folder(path_.c_str());
}

}  // namespace nibble
