#include "engine/cgroup.hpp"

#include <gtest/gtest.h>

#include "../../tests/made/made_files.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t mib = std::uint64_t(1) << 20;

class Cgroup : public testing::Test {
 protected:
  Cgroup() : root("cgroup") {}
  void file(const std::string& name, const std::string& text) {
    fs::create_directories((root / name).parent_path());
    made::write(root / name, text);
  }
  void process_is_in(const std::string& lines) { file("proc/self/cgroup", lines); }
  void group(const std::string& path, const std::string& max, const std::string& current) {
    file("sys/fs/cgroup/" + path + "/memory.max", max + "\n");
    file("sys/fs/cgroup/" + path + "/memory.current", current + "\n");
  }
  CgroupMemory found() const { return cgroup_memory(root.path()); }

  made::Folder root;
};

TEST_F(Cgroup, NothingThereIsNoLimit) {
  EXPECT_EQ(found().limit, 0u);
  process_is_in("0::/a\n");
  EXPECT_EQ(found().limit, 0u);
  group("a", "max", "4096");
  EXPECT_EQ(found().limit, 0u);
}

TEST_F(Cgroup, OfNestedGroupsTheOneThatLeavesLeastCounts) {
  process_is_in("0::/outer/inner\n");
  group("outer/inner", "max", std::to_string(100 * mib));
  group("outer", std::to_string(1024 * mib), std::to_string(512 * mib));
  CgroupMemory memory = found();
  EXPECT_EQ(memory.limit, 1024 * mib);
  EXPECT_EQ(memory.left, 512 * mib);
  // A higher limit may leave less: of what was given out, others hold more.
  group("outer/inner", std::to_string(800 * mib), std::to_string(100 * mib));
  group("outer", std::to_string(1024 * mib), std::to_string(1000 * mib));
  memory = found();
  EXPECT_EQ(memory.limit, 800 * mib);
  EXPECT_EQ(memory.left, 24 * mib);
  EXPECT_EQ(memory.left_of, 1024 * mib);
}

TEST_F(Cgroup, InAContainerTheMountIsTheGroup) {
  group("", std::to_string(256 * mib), std::to_string(56 * mib));
  for (const char* lines : {"0::/\n", "0::/docker/4f1e\n", "0::/../other\n", "nonsense\n0\n::\n", ""}) {
    process_is_in(lines);
    EXPECT_EQ(found().left, 200 * mib) << lines;
  }
}

TEST_F(Cgroup, HighIsALimitToo) {
  group("", "max", std::to_string(mib));
  file("sys/fs/cgroup/memory.high", std::to_string(64 * mib) + "\n");
  EXPECT_EQ(found().left, 63 * mib);
  group("", std::to_string(32 * mib), std::to_string(mib));
  EXPECT_EQ(found().left, 31 * mib);
}

TEST_F(Cgroup, PagesOfFilesAreGivenBack) {
  group("", std::to_string(256 * mib), std::to_string(200 * mib));
  file("sys/fs/cgroup/memory.stat", "anon 1\nfile 3\ninactive_file " + std::to_string(100 * mib) + "\nactive_file " +
                                        std::to_string(50 * mib) + "\nslab 7\n");
  EXPECT_EQ(found().left, 206 * mib);
  file("sys/fs/cgroup/memory.stat", "inactive_file 99999999999999999999\nactive_file -4\ninactive_file");
  EXPECT_EQ(found().left, 56 * mib) << "numbers that are none count for nothing";
}

TEST_F(Cgroup, FullLeavesOneByteSinceZeroWouldMeanUnknown) {
  group("", std::to_string(256 * mib), std::to_string(300 * mib));
  EXPECT_EQ(found().left, 1u);
  group("", "0", "0");
  EXPECT_EQ(found().left, 1u);
  EXPECT_EQ(found().limit, 1u);
}

TEST_F(Cgroup, NonsenseInFilesSetsNoLimit) {
  for (const char* text : {"", "\n", "many", "-1", "12x", "0x10", "1e9", "99999999999999999999999", " 5", "5 6"}) {
    group("", text, "1");
    EXPECT_EQ(found().limit, 0u) << text;
  }
  group("", std::to_string(8 * mib), "many");
  EXPECT_EQ(found().left, 8 * mib);
  fs::remove(root / "sys/fs/cgroup/memory.current");
  EXPECT_EQ(found().left, 8 * mib);
  fs::remove(root / "sys/fs/cgroup/memory.max");
  fs::create_directory(root / "sys/fs/cgroup/memory.max");
  EXPECT_EQ(found().limit, 0u);
}

TEST_F(Cgroup, VersionOneHasOtherNames) {
  process_is_in("9:name=systemd:/\n4:cpu,memory:/outer/inner\n0::/\n");
  const std::string base = "sys/fs/cgroup/memory/";
  for (const char* path : {"", "outer/", "outer/inner/"}) {
    file(base + path + "memory.limit_in_bytes", "9223372036854771712\n");
    file(base + path + "memory.usage_in_bytes", std::to_string(50 * mib) + "\n");
  }
  EXPECT_EQ(found().limit, 0u) << "that number says that there is none";
  file(base + "outer/memory.limit_in_bytes", std::to_string(120 * mib) + "\n");
  file(base + "outer/memory.stat", "cache 1\ninactive_file 5\ntotal_inactive_file " + std::to_string(10 * mib) +
                                       "\ntotal_active_file " + std::to_string(5 * mib) + "\n");
  EXPECT_EQ(found().left, 85 * mib);
}

TEST_F(Cgroup, OfBothVersionsTheStricterCounts) {
  process_is_in("4:memory:/a\n0::/a\n");
  file("sys/fs/cgroup/memory/a/memory.limit_in_bytes", std::to_string(100 * mib));
  file("sys/fs/cgroup/unified/a/memory.max", std::to_string(70 * mib));
  EXPECT_EQ(found().left, 70 * mib);
}

}  // namespace
}  // namespace nibble
