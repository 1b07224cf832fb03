// quantize, interrupted in the middle and given again: by the same command, by another, by two at once.
#include <fcntl.h>

#include <csignal>
#include <map>
#include <thread>

#include "program.hpp"

namespace {

using namespace nibble::test;

// The program with its standard error in a pipe that nobody reads, so that it stands still in the middle of its work:
// a conversion into many small shards says more than the pipe holds.
class Halted {
 public:
  explicit Halted(const std::vector<std::string>& arguments) {
    int ends[2];
    if (::pipe(ends) != 0) return;
    ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], 2);
      ::close(ends[0]);
      ::close(ends[1]);
      ::dup2(::open("/dev/null", O_RDWR), 1);
      std::vector<char*> words = {const_cast<char*>(NIBBLE_PROGRAM)};
      for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
      words.push_back(nullptr);
      ::execv(NIBBLE_PROGRAM, words.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    said_ = ends[0];
  }
  // Reads what it still says. The status as a shell has it.
  Outcome end(int signal) {
    ::kill(pid_, signal);
    Outcome outcome;
    char piece[512];
    for (ssize_t got; (got = ::read(said_, piece, sizeof piece)) > 0;) outcome.err.append(piece, std::size_t(got));
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ::close(said_);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return outcome;
  }

 private:
  pid_t pid_ = -1;
  int said_ = -1;
};

class Interrupted : public Program {
 protected:
  std::string out() const { return (folder / "out").string(); }
  std::vector<std::string> words(const std::string& to = "nf4") const {
    return {"quantize", shipped, out(), "--to", to, "--max-shard-size", "1KB", "--threads", "2"};
  }
  static std::string line(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += word + " ";
    return out;
  }
  std::size_t shards() const {
    std::error_code none;
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(out() + ".partial/output", none))
      count += entry.path().extension() == ".safetensors";
    return count;
  }
  void wait_for_shards(std::size_t count) const {
    for (int tenths = 0; shards() < count && tenths < 6000; ++tenths)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_GE(shards(), count);
  }
  static std::map<std::string, std::string> tree(const fs::path& place) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(place)) files[entry.path().filename()] = read(entry.path());
    return files;
  }
  std::map<std::string, std::string> uninterrupted() {
    const Outcome r = run(line(words()) + "--quiet");
    EXPECT_EQ(r.status, 0) << r.err;
    auto files = tree(out());
    fs::remove_all(out());
    return files;
  }
};

TEST_F(Interrupted, KilledInTheMiddleTheSameCommandContinuesToTheSameBytes) {
  const auto whole = uninterrupted();
  EXPECT_GT(whole.size(), 80u);
  for (const std::size_t count : {1, 7, 20}) {
    Halted first(words());
    wait_for_shards(count);
    EXPECT_EQ(first.end(SIGKILL).status, 128 + SIGKILL);
    EXPECT_FALSE(fs::exists(out()));
    const std::size_t found = shards();
    // A shard that is damaged meanwhile is made again.
    const fs::path damaged = out() + ".partial/output/model-00001-of-00082.safetensors";
    std::string bytes = read(damaged);
    bytes[bytes.size() / 2] ^= 1;
    std::ofstream(damaged, std::ios::binary) << bytes;
    const Outcome second = run(line(words()) + "--json");
    ASSERT_EQ(second.status, 0) << second.err;
    EXPECT_NE(second.err.find(damaged.string() + ": its bytes or what it was made from have changed"),
              std::string::npos)
        << second.err;
    // Where the damaged shard was the only one, a weight of the next may have been finished before the end.
    const bool continues = second.json()["bytes_taken_over"].get<std::int64_t>() > 0;
    EXPECT_TRUE(continues || found == 1);
    const std::string words_of_it = "continues: " + std::to_string(found - 1) + " of 82 shards are complete";
    EXPECT_EQ(second.err.find(words_of_it) != std::string::npos, continues) << second.err;
    EXPECT_EQ(tree(out()), whole);
    EXPECT_EQ(run("verify " + out() + " " + shipped + " --quiet").status, 0);
    EXPECT_FALSE(fs::exists(out() + ".partial"));
    fs::remove_all(out());
  }
}

TEST_F(Interrupted, CtrlCKeepsWhatIsFinishedAndSaysThatTheSameCommandContinues) {
  const auto whole = uninterrupted();
  Halted first(words());
  wait_for_shards(5);
  const Outcome r = first.end(SIGINT);
  EXPECT_EQ(r.status, 130) << r.err;
  for (const char* word : {"stopped", "shards are complete", "kept in", "the same command continues there"})
    EXPECT_NE(r.err.find(word), std::string::npos) << r.err;
  EXPECT_FALSE(fs::exists(out()));
  ASSERT_EQ(run(line(words()) + "--quiet").status, 0);
  EXPECT_EQ(tree(out()), whole);
}

TEST_F(Interrupted, OfTwoAtOnceTheSecondIsRefusedAndHarmsNothing) {
  const auto whole = uninterrupted();
  Halted first(words());
  wait_for_shards(3);
  const Outcome second = run(line(words("int8")));
  EXPECT_EQ(second.status, 2);
  EXPECT_NE(second.err.find("another process is making this now"), std::string::npos) << second.err;
  EXPECT_EQ(first.end(0).status, 0) << "signal 0 is none: it goes on once its words are read";
  EXPECT_EQ(tree(out()), whole);
}

TEST_F(Interrupted, AnotherRecipeStartsOverAndSaysSo) {
  Halted first(words());
  wait_for_shards(3);
  first.end(SIGKILL);
  const Outcome other = run(line(words("nf4 --double-quant")));
  EXPECT_EQ(other.status, 0) << other.err;
  EXPECT_NE(other.err.find("was begun as nf4, and this is nf4 double-quant; starts over"), std::string::npos)
      << other.err;
  EXPECT_EQ(run("verify " + out() + " " + shipped + " --quiet").status, 0);
}

TEST_F(Interrupted, ADiskThatIsTooSmallIsRefusedWithTheBytesThatAreMissing) {
  const std::string disk = (folder / "disk").string();
  fs::create_directory(disk);
  const std::string mount = "unshare -rm sh -c 'mount -t tmpfs -o size=8M tmpfs " + disk;
  if (std::system((mount + "' 2>/dev/null").c_str()) != 0) GTEST_SKIP() << "file systems cannot be mounted here";
  for (const std::string to : {"out --to nf4", "x.gguf --to q8_0"}) {
    const Outcome r =
        run("quantize " + shipped + " " + disk + "/" + to + " --quiet; code=$?; ls -A " + disk + "; exit $code'",
            mount + " &&");
    EXPECT_EQ(r.status, 1) << r.err;
    for (const char* word : {"MB are free there", "bytes are missing", "another disk"})
      EXPECT_NE(r.err.find(word), std::string::npos) << r.err;
    EXPECT_EQ(r.out, "") << "nothing is left";
  }
}

}  // namespace
