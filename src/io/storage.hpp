// Where a file lies and how fast it can be read: what a slow load is explained with.
#pragma once

#include <optional>
#include <string>

#include "io/mapped_file.hpp"

namespace nibble {

struct Storage {
  std::string filesystem;  // "ext4", "nfs"; a number in hexadecimal where the kind is not known
  bool network = false;    // over a network, or through a program that may reach over one (fuse, 9p)
};

Storage storage_of_kind(std::uint64_t magic);  // as statfs(2) numbers kinds
Result<Storage> storage_of(const std::filesystem::path& path);

// Share of the file's pages that the system holds in memory, between 0 and 1. 1 also where the system will not say
// (a file of somebody else); 0 for an empty file.
double cached_share(const MappedFile& file);

// Bytes per second of reading up to `limit` bytes past the page cache, which stays as it is. Nothing where the file
// system has no such reading, or the file is shorter than a megabyte.
std::optional<double> uncached_read_rate(const std::filesystem::path& path, std::uint64_t limit);

}  // namespace nibble
