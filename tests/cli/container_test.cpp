// The program under a container's memory limit: a control group of this test's own where the system allows one, and a
// made tree in the place of the system's, seen in a mount namespace of its own.
#include "../made/made_files.hpp"
#include "program.hpp"

namespace nibble::test {
namespace {

class Container : public Program {
 protected:
  void expect_refusal_and_settings_that_work(const std::string& inside) {
    const std::string asked = "run " + shipped + " words -n 2 --threads 2 --quiet";
    const Outcome refused = run(asked + " --precision fp32", inside);
    ASSERT_EQ(refused.status, 1) << refused.err;
    EXPECT_NE(refused.err.find("the memory limit of this container (cgroup) leaves "), std::string::npos)
        << refused.err;
    EXPECT_NE(refused.err.find("these would fit: "), std::string::npos) << refused.err;
    const Outcome allowed = run(asked + " --precision nf4", inside);
    EXPECT_EQ(allowed.status, 0) << allowed.err;
  }
};

TEST_F(Container, ALimitOfAControlGroupRefusesWhatDoesNotFit) {
  const std::string own = "nibble-test-" + std::to_string(::getpid());
  const fs::path second = fs::path("/sys/fs/cgroup") / own, first = fs::path("/sys/fs/cgroup/memory") / own;
  fs::path group;
  std::error_code code;
  for (const auto& [path, limit] : {std::pair{second, "memory.max"}, {first, "memory.limit_in_bytes"}}) {
    if (!group.empty() || !fs::create_directory(path, code)) continue;
    // The kernel makes a group's files with the group. Opened so that none is made: in a folder that is no control
    // group (some containers have a plain one there) it would be a file like any other, and limit nothing.
    std::fstream file(path / limit, std::ios::in | std::ios::out);
    if (fs::exists(path / "cgroup.procs") && file << (std::uint64_t(64) << 20) << std::flush)
      group = path;
    else
      fs::remove(path, code);
  }
  if (group.empty()) GTEST_SKIP() << "no control group for memory can be made here";
  const std::string enter = "echo $$ >" + (group / "cgroup.procs").string();
  if (std::system(("(" + enter + ") 2>/dev/null").c_str()) != 0) {
    fs::remove(group, code);
    GTEST_SKIP() << "no process can be put into a control group here";
  }
  expect_refusal_and_settings_that_work(enter + "; exec");
  EXPECT_TRUE(fs::remove(group, code)) << code.message();
}

TEST_F(Container, ALimitThatIsReadFromFilesDoesToo) {
  const made::Folder tree("container");
  const auto inside = [&](const std::string& command) {
    return "unshare -m sh -c 'mount --bind " + tree.path().string() + " /sys/fs/cgroup && exec \"$0\" \"$@\"' " +
           command;
  };
  if (std::system((inside("true") + " 2>/dev/null").c_str()) != 0)
    GTEST_SKIP() << "no mount namespace can be made here";
  made::write(tree / "memory.max", std::to_string(1 << 30));
  made::write(tree / "memory.current", std::to_string((1 << 30) - (50 << 20)));
  expect_refusal_and_settings_that_work(inside(""));
  made::write(tree / "memory.max", "max");
  const Outcome allowed = run("run " + shipped + " words -n 2 --threads 2 --quiet --precision fp32", inside(""));
  EXPECT_EQ(allowed.status, 0) << allowed.err;
}

}  // namespace
}  // namespace nibble::test
