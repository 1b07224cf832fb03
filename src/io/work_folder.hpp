// Work on an output that another process may go on with. Everything is made in "TARGET.partial", which one process at a
// time holds; the output gets its name when it is whole, in one step.
#pragma once

#include <filesystem>
#include <memory>

#include "base/error.hpp"

namespace nibble {

enum class Target { file, folder };

class WorkFolder {
 public:
  // The error if nothing can be made under this name: it is taken, is a link, or has no parent. An empty folder may
  // become a full one; `replace`: anything may, that is no link and of this form.
  static Result<void> check_target(const std::filesystem::path& target, Target form, bool replace = false);
  // Makes the folder, which is nobody else's to write in, or takes over what an earlier process left there. Errors:
  // another process holds it, it was not made here, or not by this user.
  static Result<WorkFolder> open(const std::filesystem::path& target, Target form, bool replace = false);
  WorkFolder(WorkFolder&&) noexcept;
  WorkFolder& operator=(WorkFolder&&) noexcept;
  ~WorkFolder();  // lets go of it; what was made stays

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path output() const { return path_ / "output"; }  // a folder: what becomes the target is made in it
  Result<void> clear();                                              // as if it had just been made
  // `made` gets the target's name, and the rest goes.
  Result<void> put_in_place(const std::filesystem::path& made);
  void remove() noexcept;

 private:
  WorkFolder() = default;
  Result<void> empty_it();
  Result<void> check_own() const;

  std::filesystem::path target_, path_;
  Target form_ = Target::folder;
  bool replace_ = false;
  int lock_ = -1;
  std::unique_ptr<std::byte[]> reserve_;  // given back before removing, which takes memory where there may be none
};

}  // namespace nibble
