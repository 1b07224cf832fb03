// The program where there is too little of something: disk, memory, room in the context, sense in the request.
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>

#include "../made/made_files.hpp"
#include "base/thread_pool.hpp"
#include "nibble/model.hpp"
#include "refused.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int status = -1;
  std::string out, err;
};

class Resources : public testing::Test {
 protected:
  Resources() : folder("resources"), out(folder / "out") {}

  // `limits`: shell commands in front, such as "ulimit -v 100000;".
  Outcome run(const std::string& arguments, const std::string& limits = "") {
    const fs::path said = folder / "stdout", complained = folder / "stderr";
    const int status = std::system(
        ("(" + limits + " exec " NIBBLE_PROGRAM " " + arguments + ") >" + said.string() + " 2>" + complained.string())
            .c_str());
    Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -1, made::read(said), made::read(complained)};
    fs::remove(said);
    fs::remove(complained);
    return outcome;
  }
  void refused(const std::string& arguments, int status, const Words& words, const std::string& limits = "") {
    const Outcome r = run(arguments, limits);
    EXPECT_EQ(r.status, status) << arguments << "\n" << r.err;
    for (const std::string& word : words)
      EXPECT_NE(r.err.find(word), std::string::npos) << "\"" << word << "\" is missing: " << arguments << "\n" << r.err;
    EXPECT_EQ(r.err.find("terminate called"), std::string::npos) << r.err;
  }
  void nothing_is_left() {
    for (const auto& entry : fs::directory_iterator(folder.path())) ADD_FAILURE() << entry.path() << " was left behind";
  }

  made::Folder folder;
  const fs::path out;
  const std::string shipped = NIBBLE_SOURCE_DIR "/models/gutenberg-16m";
};

TEST_F(Resources, ADiskThatIsFullLeavesNoHalfOfAModel) {
  // A file may grow to so many blocks of 512 bytes.
  for (const char* blocks : {"4", "100", "10000"})
    refused("quantize " + shipped + " " + out.string() + " --to nf4 --quiet", 1, {"cannot", "ulimit -f"},
            std::string("ulimit -f ") + blocks + ";");
  nothing_is_left();
  if (fs::exists("/dev/full")) {
    const Outcome r = run("tokenize " + shipped + " words >/dev/full");
    EXPECT_EQ(r.status, 1);
    EXPECT_NE(r.err.find("cannot write to standard output"), std::string::npos) << r.err;
  }
}

TEST_F(Resources, ReportsAndLogitsThatCannotBeWrittenLeaveNothing) {
  refused("eval " + shipped + " --text " + shipped + "/config.json --max-tokens 64 --quiet --logits " + out.string(), 1,
          {out.string(), "cannot write"}, "ulimit -f 100;");
  refused("eval " + shipped + " --text " + shipped + "/config.json --max-tokens 64 --quiet --logits /no/such/logits", 2,
          {"/no/such/logits", "does its folder exist"});
  nothing_is_left();
}

TEST_F(Resources, OutputThatCannotBeThereIsRefusedBeforeAnyWork) {
  refused("quantize " + shipped + " " + (folder / "no/parent").string() + " --to nf4", 2,
          {"there is no folder", (folder / "no").string()});
  fs::create_directory(out);
  refused("quantize " + shipped + " " + out.string() + "/ --to nf4 --quiet --threads 2 --skip '('", 2, {"pattern"});
  made::write(out / "precious", "keep me");
  refused("quantize " + shipped + " " + out.string() + " --to nf4", 2, {"exists already", "new folder"});
  EXPECT_EQ(made::read(out / "precious"), "keep me");
  refused("quantize " + shipped + " " + (out / "precious").string() + " --to nf4", 2, {"exists already"});
  refused("quantize " + shipped + " " + shipped + " --to nf4", 2, {"exists already"});
  EXPECT_EQ(made::read(out / "precious"), "keep me");
  fs::remove_all(out);
  nothing_is_left();
}

TEST_F(Resources, AModelThatDoesNotFitIsRefusedWithNumbersBeforeItIsLoaded) {
  LoadOptions options;
  options.memory_limit = 40000000;
  options.precision = Precision::fp32;
  expect_refused(
      Model::load(shipped, options), Errc::out_of_memory,
      {shipped, "fp32 with a context of 512 needs", "MB of its own memory", "40.0 MB are free",
       "most of it is linear weights", "these would fit: --precision bf16", "--precision int8", "--precision nf4 ("});
  options.memory_limit = 1000000;
  expect_refused(Model::load(shipped, options), Errc::out_of_memory,
                 {"1.0 MB are free", "the smallest that works", "--precision nf4-dq --context 32", "a smaller model"});
}

#if !defined(__SANITIZE_ADDRESS__)  // which takes terabytes of address space
// Of "--precision int8 (27.9 MB), --precision nf4 --context 256 (22.1 MB)" what stands before each size.
std::vector<std::string> named_settings(const std::string& list) {
  std::vector<std::string> settings;
  for (std::size_t begin = 0, end; (end = list.find(" (", begin)) != std::string::npos;) {
    settings.push_back(list.substr(begin, end - begin));
    const std::size_t next = list.find("), ", end);
    if (next == std::string::npos) break;
    begin = next + 3;
  }
  return settings;
}

// A refusal names three settings, and each works under the same limit.
TEST_F(Resources, ARefusalUnderALimitNamesThreeSettingsThatThenSucceed) {
  const std::string asked = "run " + shipped + " words -n 2 --quiet", rest[] = {"--threads 2", "--precision fp32"};
  int refusals = 0;
  // The program's libraries take some 60 MB of address space; from here on three settings have room.
  for (int kilobytes = 75000; kilobytes <= 200000 && refusals < 8; kilobytes += 3000) {
    const std::string limit = "ulimit -v " + std::to_string(kilobytes) + ";";
    const Outcome refusal = run(asked + " " + rest[0] + " " + rest[1], limit);
    const std::string mark = "these would fit: ";
    const std::size_t at = refusal.err.find(mark);
    if (refusal.status != 1 || at == std::string::npos) continue;
    ++refusals;
    const std::vector<std::string> settings = named_settings(refusal.err.substr(at + mark.size()));
    for (const std::string& setting : settings) {
      std::string again = asked + " " + setting;  // what it names replaces what was asked for
      for (const std::string& option : rest)
        if (setting.find(option.substr(0, option.find(' '))) == std::string::npos) again += " " + option;
      const Outcome second = run(again, limit);
      EXPECT_EQ(second.status, 0) << kilobytes << " KB: " << setting << "\n" << refusal.err << second.err;
    }
    EXPECT_EQ(settings.size(), 3u) << kilobytes << " KB: " << refusal.err;
  }
  EXPECT_EQ(refusals, 8);
}
#endif

#if !defined(__SANITIZE_ADDRESS__)  // which takes terabytes of address space
TEST_F(Resources, AnyLimitOnMemoryEndsInAnAnswerOrInAnErrorWithNumbers) {
  int answered = 0, refused_with_plan = 0;
  for (int kilobytes = 16000; kilobytes <= 160000; kilobytes += 12000)
    for (const char* verb : {"run MODEL words -n 2 --threads 2", "run MODEL words -n 2 --precision fp32 --threads 1",
                             "quantize MODEL OUT --to fp32 --threads 1"}) {
      std::string arguments = verb;
      arguments.replace(arguments.find("MODEL"), 5, shipped);
      if (const auto at = arguments.find("OUT"); at != std::string::npos) arguments.replace(at, 3, out.string());
      const std::string limit = "ulimit -v " + std::to_string(kilobytes) + ";";
      if (run("--version", limit).status != 0)
        continue;  // the program's libraries do not load, or end it as they start
      const Outcome r = run(arguments + " --quiet", limit);
      SCOPED_TRACE(std::to_string(kilobytes) + " KB: " + arguments + "\n" + r.err);
      EXPECT_TRUE(r.status == 0 || r.status == 1);
      EXPECT_EQ(r.err.find("terminate called"), std::string::npos);
      if (r.status == 0) ++answered;
      if (r.status == 1) {
        EXPECT_TRUE(r.err.find("memory") != std::string::npos);
        refused_with_plan += r.err.find("MB of its own memory and") != std::string::npos;
        EXPECT_FALSE(fs::exists(out));
      }
      fs::remove_all(out);
      fs::remove_all(out.string() + ".partial");
    }
  EXPECT_GE(answered, 3);
  EXPECT_GE(refused_with_plan, 2);
  nothing_is_left();
}

TEST(ThreadsRefused, APoolWorksWithTheThreadsThatItGets) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    struct rlimit limit {};
    limit.rlim_cur = limit.rlim_max = pages * std::uint64_t(::sysconf(_SC_PAGESIZE)) + (std::uint64_t(48) << 20);
    ::setrlimit(RLIMIT_AS, &limit);
    ThreadPool pool(64);  // stacks of 8 MB each
    std::atomic<std::int64_t> sum{0};
    pool.run(1000, [&](std::int64_t piece, int) { sum += piece; });
    ::_exit(pool.size() < 64 && sum == 499500 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

TEST_F(Resources, RequestsWithoutSenseExitWithTwo) {
  const std::string model = shipped + " ";
  std::string words;
  for (int i = 0; i < 2100; ++i) words += "word ";
  refused("run " + model + "'" + words + "' --quiet", 2, {"the prompt has", "tokens", "2048", "shorten"});
  refused("run " + model + "'some words and more' --context 3 --quiet", 2, {"context holds 3", "longer context"});
  refused("run " + model + "words --context 999999", 2, {"999999", "2048"});
  for (const char* context : {"0", "-5", "1e18", "99999999999999999999", "many"})
    refused("run " + model + "words --context " + context, 2, {"context"});
  for (const char* threads : {"0", "-1", "2000000000", "two"})
    refused("run " + model + "words --threads " + threads, 2, {"--threads"});
  refused("run " + model + "words -n 0", 2, {"0", "at least 1"});
  refused("run " + model + "words -n -3", 2, {"-3"});
  refused("run " + model + "words --temperature -1", 2, {"temperature", "-1"});
  refused("run " + model + "words --temperature nan", 2, {"temperature", "nan"});
  refused("run " + model + "words --top-p 0", 2, {"top-p"});
  refused("run " + model + "words --block-size 63 --precision nf4", 2, {"63", "power of two"});
  refused("run " + model + "words --kv-cache int8", 2, {"KV cache", "int8"});
  refused("run " + model + "words --cpu-target quantum", 2, {"quantum"});
  refused("run " + model, 2, {"prompt is empty"});
  refused("run", 2, {"MODEL"});
  refused("fly " + model, 2, {});
  refused("quantize " + model + out.string(), 2, {"--to"});
  refused("quantize " + model + out.string() + " --to stored", 2, {"name the precision"});
  refused("quantize " + model + out.string() + " --to nf4 --max-shard-size 0", 2, {"--max-shard-size", "no unit"});
  refused("quantize " + model + out.string() + " --to nf4 --max-shard-size -1GB", 2, {"--max-shard-size", "-1GB"});
  refused("eval " + model + "--text /no/such/text", 2, {"/no/such/text"});
  refused("eval " + model + "--text " + shipped + "/config.json --context -5", 2, {"-5"});
  refused("eval " + model + "--text " + shipped + "/config.json --stride 0 --context 1", 2, {"context of 1"});
  refused("eval " + model + "--text " + shipped + " ", 2, {"is a folder"});
  refused("estimate " + model + "--context 0", 2, {"context"});
  refused("estimate " + model + "--batch -2", 2, {"batch"});
  refused("estimate " + model + "--context 1000000000000 --batch 1000000000000", 2, {"context"});
  const std::string sized = "estimate " + shipped + " --memory ";
  refused(sized + "12", 2, {"--memory", "\"12\"", "no unit", "12GiB"});
  for (const char* memory : {"-3GiB", "0GB", "nanGB", "9999999TiB", "GiB", "12Xib", "12XB", "''"})
    refused(sized + memory, 2, {"memory"});
  const Outcome nothing = run(sized + "1MB --json");
  EXPECT_EQ(nothing.status, 3) << "a right question: the table is the answer";
  EXPECT_NE(nothing.out.find("nothing fits; the smallest that works, nf4 double-quant"), std::string::npos)
      << nothing.out;
  refused("estimate no-such-org/no-such-model", 2, {"no-such-org/no-such-model", "cache", "HF_HUB_OFFLINE"},
          "HF_HUB_OFFLINE=1");
  refused("estimate /no/such/model", 2, {"/no/such/model"});
  refused("inspect /no/such/model", 2, {"/no/such/model", "no such folder"});
  refused("bench model " + model + "--prompt-tokens 0", 2, {"prompt"});
  refused("bench model " + model + "--batch 0", 2, {"batch"});
  refused("bench model " + model + "--new-tokens 100000", 2, {});
  nothing_is_left();
}

TEST_F(Resources, AnEmptyPromptIsContinuedBehindABosOrRefused) {
  refused("run " + shipped + " '' -n 3 --quiet", 2, {"the prompt is empty", "no BOS", "give it a word"});
  const Outcome r =
      run("run " NIBBLE_SOURCE_DIR "/tests/golden/stories260K '' -n 3 --quiet");  // its tokenizer adds one
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(r.out, "Once upon a\n");
}

}  // namespace
}  // namespace nibble
