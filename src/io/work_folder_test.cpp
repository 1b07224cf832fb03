#include "io/work_folder.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace nibble {
namespace {

namespace fs = std::filesystem;

class Work : public testing::Test {
 protected:
  const fs::path folder = fs::temp_directory_path() / ("nibble-work-" + std::to_string(::getpid()) +
                                                       testing::UnitTest::GetInstance()->current_test_info()->name());
  Work() { fs::create_directories(folder); }
  ~Work() override { fs::remove_all(folder); }
  std::ptrdiff_t entries() { return std::distance(fs::directory_iterator(folder), {}); }
  void refused(const Result<WorkFolder>& work, Errc code, const char* words) {
    ASSERT_FALSE(work);
    EXPECT_EQ(int(work.error().code), int(code)) << work.error().message;
    EXPECT_NE(work.error().message.find(words), std::string::npos) << work.error().message;
  }
};

TEST_F(Work, AFolderAppearsWhole) {
  for (const bool empty_one_exists : {false, true}) {
    if (empty_one_exists) fs::create_directory(folder / "out");
    auto work = WorkFolder::open((folder / "out").string() + "/", Target::folder);
    ASSERT_TRUE(work) << work.error().message;
    std::ofstream(work->output() / "file") << "x";
    EXPECT_FALSE(fs::exists(folder / "out/file"));
    ASSERT_TRUE(work->put_in_place(work->output()));
    EXPECT_TRUE(fs::exists(folder / "out/file"));
    EXPECT_EQ(entries(), 1);
    fs::remove_all(folder / "out");
  }
}

TEST_F(Work, AFileAppearsWhole) {
  auto work = WorkFolder::open(folder / "x.gguf", Target::file);
  ASSERT_TRUE(work) << work.error().message;
  std::ofstream(work->output() / "x.gguf") << "x";
  ASSERT_TRUE(work->put_in_place(work->output() / "x.gguf"));
  EXPECT_TRUE(fs::is_regular_file(folder / "x.gguf"));
  EXPECT_EQ(entries(), 1);
}

TEST_F(Work, WhatOneProcessLeftAnotherFindsAndMayClear) {
  { std::ofstream(WorkFolder::open(folder / "out", Target::folder)->output() / "file") << "x"; }
  auto work = WorkFolder::open(folder / "out", Target::folder);
  ASSERT_TRUE(work) << work.error().message;
  EXPECT_TRUE(fs::exists(work->output() / "file"));
  ASSERT_TRUE(work->clear());
  EXPECT_TRUE(fs::is_empty(work->output()));
  work->remove();
  EXPECT_EQ(entries(), 0);
}

TEST_F(Work, OneAtATimeHoldsIt) {
  auto first = WorkFolder::open(folder / "out", Target::folder);
  ASSERT_TRUE(first);
  refused(WorkFolder::open(folder / "out", Target::folder), Errc::bad_request, "another process is making this now");
  ASSERT_TRUE(WorkFolder::open(folder / "other", Target::folder));
  { const WorkFolder gone = std::move(*first); }
  EXPECT_TRUE(WorkFolder::open(folder / "out", Target::folder));
}

TEST_F(Work, WhatIsNotItsOwnIsLeftAlone) {
  fs::create_directory(folder / "out");
  std::ofstream(folder / "out/precious") << "x";
  refused(WorkFolder::open(folder / "out", Target::folder), Errc::bad_request, "exists already");
  EXPECT_FALSE(fs::exists(folder / "out.partial"));
  fs::create_directories(folder / "b.partial");
  std::ofstream(folder / "b.partial/precious") << "x";
  refused(WorkFolder::open(folder / "b", Target::folder), Errc::bad_request, "not of an earlier conversion");
  EXPECT_TRUE(fs::exists(folder / "b.partial/precious"));
  fs::create_directory(folder / "empty.gguf");
  refused(WorkFolder::open(folder / "empty.gguf", Target::file), Errc::bad_request, "exists already");
  refused(WorkFolder::open(folder / "no/out", Target::folder), Errc::not_found, "no folder");
  // Something came under the name while the work went on.
  auto work = WorkFolder::open(folder / "late", Target::folder);
  ASSERT_TRUE(work);
  fs::create_directory(folder / "late");
  std::ofstream(folder / "late/precious") << "x";
  EXPECT_FALSE(work->put_in_place(work->output()));
  EXPECT_TRUE(fs::exists(folder / "late/precious"));
}

TEST_F(Work, LinksAreNotFollowed) {
  fs::create_directory(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / "out");
  refused(WorkFolder::open(folder / "out", Target::folder), Errc::bad_request, "is a link to");
  fs::create_symlink(folder / "nothing", folder / "x.gguf");
  refused(WorkFolder::open(folder / "x.gguf", Target::file), Errc::bad_request, "is a link to");
  fs::create_directory_symlink(folder / "elsewhere", folder / "a.partial");
  refused(WorkFolder::open(folder / "a", Target::folder), Errc::bad_request, "is no folder of its own");
  fs::create_directory(folder / "b.partial");
  std::ofstream(folder / "b.partial/lock") << "";
  fs::create_directory_symlink(folder / "elsewhere", folder / "b.partial/output");
  refused(WorkFolder::open(folder / "b", Target::folder), Errc::bad_request, "is no folder of its own");
  fs::create_directory(folder / "c.partial");
  fs::create_symlink(folder / "elsewhere/lock", folder / "c.partial/lock");
  EXPECT_FALSE(WorkFolder::open(folder / "c", Target::folder));
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
}

TEST_F(Work, WhatAnotherUserLeftIsNotGoneOnWith) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder to somebody else";
  { ASSERT_TRUE(WorkFolder::open(folder / "out", Target::folder)); }
  ASSERT_EQ(::chown((folder / "out.partial").c_str(), 12345, 12345), 0);
  refused(WorkFolder::open(folder / "out", Target::folder), Errc::bad_request, "belongs to another user");
}

TEST_F(Work, NobodyElseMayWriteWhereTheWorkIsDone) {
  auto work = WorkFolder::open(folder / "out", Target::folder);
  ASSERT_TRUE(work);
  EXPECT_EQ(fs::status(work->path()).permissions(), fs::perms::owner_all);
  ASSERT_TRUE(work->put_in_place(work->output()));
  EXPECT_NE(fs::status(folder / "out").permissions() & fs::perms::group_read, fs::perms::none) << "the output is not";
}

TEST_F(Work, WhatIsReplacedGoesWhenTheNewIsWhole) {
  fs::create_directory(folder / "out");
  std::ofstream(folder / "out/old") << "x";
  auto work = WorkFolder::open(folder / "out", Target::folder, true);
  ASSERT_TRUE(work) << work.error().message;
  std::ofstream(work->output() / "new") << "x";
  EXPECT_TRUE(fs::exists(folder / "out/old"));
  ASSERT_TRUE(work->put_in_place(work->output()));
  EXPECT_TRUE(fs::exists(folder / "out/new"));
  EXPECT_FALSE(fs::exists(folder / "out/old"));
  EXPECT_EQ(entries(), 1);
  refused(WorkFolder::open(folder / "out", Target::file, true), Errc::bad_request, "exists already");
}

}  // namespace
}  // namespace nibble
