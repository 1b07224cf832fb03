// A whole file mapped read-only: reading a weight is a page fault, and pages are shared between processes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "base/error.hpp"

namespace nibble {

class MappedFile {
 public:
  static Result<std::shared_ptr<MappedFile>> open(const std::filesystem::path& path);
  ~MappedFile();
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::filesystem::path& path() const { return path_; }
  // The path of the file that is mapped there, null if none is; a signal handler may ask. Of very many files at once
  // some are not known.
  static const char* path_of(const std::byte* address) noexcept;

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// The whole of a small text file; refuses more than `limit` bytes.
Result<std::string> read_text(const std::filesystem::path& path, std::size_t limit = std::size_t(1) << 30);

// An error of the system about a path, with what may help.
Error system_error(const std::filesystem::path& path, std::string_view what, int code);

// A regular file, no link, under no other name: what is written into it goes nowhere else.
bool is_own_file(const std::filesystem::path& path);

// What was renamed or made in this folder survives a power cut from here on. Where that cannot be asked for, it is not.
void sync_folder(const std::filesystem::path& folder);

// Writes to a temporary name beside `path`; commit() syncs and renames. Destroyed without commit: the temporary is
// removed.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::filesystem::path& path);
  // Goes on with unfinished(path), cut or filled with zeros to `bytes`; destroyed without commit it stays there. A link
  // under that name is refused.
  static Result<AtomicFile> resume(const std::filesystem::path& path, std::uint64_t bytes);
  static std::filesystem::path unfinished(const std::filesystem::path& path);
  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) noexcept;
  ~AtomicFile();
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> write(std::string_view text);
  // Over what was written there before; the next write() goes on at the end.
  Result<void> write_at(std::uint64_t place, std::span<const std::byte> bytes);
  Result<void> sync();
  Result<void> commit();

 private:
  AtomicFile() = default;
  int fd_ = -1;
  bool stays_ = false;
  std::filesystem::path path_, temporary_;
};

}  // namespace nibble
