#include "io/storage.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <vector>

namespace nibble {
namespace {

TEST(Storage, KnowsNetworkFileSystemsByTheNumbersOfTheKernel) {
  EXPECT_EQ(storage_of_kind(0x6969).filesystem, "nfs");
  for (const std::uint64_t network : {0x6969u, 0xff534d42u, 0xfe534d42u, 0x65735546u, 0x01021997u, 0x0bd00bd0u})
    EXPECT_TRUE(storage_of_kind(network).network) << network;
  for (const std::uint64_t local : {0xef53u, 0x58465342u, 0x9123683eu, 0x01021994u, 0x794c7630u})
    EXPECT_FALSE(storage_of_kind(local).network) << local;
  EXPECT_TRUE(storage_of_kind(0xffffffffff534d42).network) << "statfs sign-extends where long is 64 bits";
  EXPECT_EQ(storage_of_kind(0x12345).filesystem, "0x12345");
  EXPECT_FALSE(storage_of("/nowhere/at/all"));
}

class StoredFile : public testing::Test {
 protected:
  void SetUp() override {
    path = std::filesystem::temp_directory_path() / ("nibble-storage-" + std::to_string(::getpid()));
    std::ofstream(path) << std::string(8 << 20, 'x');
  }
  void TearDown() override { std::filesystem::remove(path); }
  std::filesystem::path path;
};

TEST_F(StoredFile, IsCachedAfterWritingAndNotAfterBeingDropped) {
  const int fd = ::open(path.c_str(), O_RDWR);
  ASSERT_EQ(::fsync(fd), 0);
  EXPECT_EQ(cached_share(*MappedFile::open(path).value()), 1);
  ASSERT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  ::close(fd);
  const Storage storage = storage_of(path).value();
  if (storage.filesystem == "tmpfs" || storage.filesystem == "ramfs") GTEST_SKIP() << "memory is where it lies";
  const auto file = MappedFile::open(path).value();
  EXPECT_LT(cached_share(*file), 0.1);
  const std::optional<double> rate = uncached_read_rate(path, 4 << 20);
  if (rate) {
    EXPECT_GT(*rate, 0);
    EXPECT_LT(cached_share(*file), 0.1) << "the cache stays as it was";
  }
  volatile char sum = 0;
  for (const std::byte b : file->bytes()) sum = char(sum + char(b));
  EXPECT_EQ(cached_share(*file), 1);
}

TEST_F(StoredFile, OfNothingHasNoShareAndNoRate) {
  std::ofstream(path, std::ios::trunc).flush();
  EXPECT_EQ(cached_share(*MappedFile::open(path).value()), 0);
  EXPECT_FALSE(uncached_read_rate(path, 1 << 20));
  EXPECT_FALSE(uncached_read_rate("/nowhere/at/all", 1 << 20));
}

}  // namespace
}  // namespace nibble
