#include "io/mapped_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace nibble {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  const fs::path folder = fs::temp_directory_path() / ("nibble-files-" + std::to_string(::getpid()) +
                                                       testing::UnitTest::GetInstance()->current_test_info()->name());
  Files() { fs::create_directories(folder); }
  ~Files() override { fs::remove_all(folder); }
  std::ptrdiff_t entries() { return std::distance(fs::directory_iterator(folder), {}); }
};

TEST_F(Files, AnEmptyFileIsMappedToNothing) {
  std::ofstream(folder / "empty");
  const auto file = MappedFile::open(folder / "empty");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ((*file)->bytes().size(), 0u);
}

TEST_F(Files, WhatIsNoFileIsRefusedWithoutWaiting) {
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  for (const fs::path& path : {folder, folder / "pipe", fs::path("/dev/null")}) {
    const auto file = MappedFile::open(path);
    ASSERT_FALSE(file) << path;
    EXPECT_NE(file.error().message.find("not a regular file"), std::string::npos) << file.error().message;
  }
  const auto missing = MappedFile::open(folder / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(int(missing.error().code), int(Errc::not_found));
}

TEST_F(Files, ATextBeyondItsLimitIsRefused) {
  std::ofstream(folder / "text") << "12345";
  EXPECT_EQ(read_text(folder / "text", 5).value(), "12345");
  EXPECT_FALSE(read_text(folder / "text", 4));
}

TEST_F(Files, AnAtomicFileAppearsWholeOrNotAtAll) {
  {
    auto file = AtomicFile::create(folder / "a");
    ASSERT_TRUE(file && file->write("half"));
    EXPECT_FALSE(fs::exists(folder / "a"));
  }
  EXPECT_EQ(entries(), 0);
  auto file = AtomicFile::create(folder / "a");
  ASSERT_TRUE(file && file->write("wh") && file->write("ole") && file->commit());
  EXPECT_EQ(read_text(folder / "a").value(), "whole");
  EXPECT_EQ(entries(), 1);
}

TEST_F(Files, AFileIsGoneOnWithWhereItStopped) {
  {
    auto file = AtomicFile::resume(folder / "a", 2);
    ASSERT_TRUE(file && file->write("half, and damaged"));
  }
  EXPECT_FALSE(fs::exists(folder / "a"));
  auto file = AtomicFile::resume(folder / "a", 6);
  ASSERT_TRUE(file && file->write(" whole") && file->write_at(0, std::as_bytes(std::span("a ", 2))) && file->sync() &&
              file->commit());
  EXPECT_EQ(read_text(folder / "a").value(), "a half whole");
  EXPECT_EQ(entries(), 1);
}

}  // namespace
}  // namespace nibble
