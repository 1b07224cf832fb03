// A conversion that is interrupted, however and wherever, and started again gives the bytes of one that was not.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>

#include "../made/made_files.hpp"
#include "nibble/quantize.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

using Tree = std::map<std::string, std::string>;

Tree tree_of(const fs::path& place) {
  if (fs::is_regular_file(place)) return {{"", made::read(place)}};
  Tree tree;
  for (const auto& entry : fs::recursive_directory_iterator(place))
    if (entry.is_regular_file()) tree[entry.path().lexically_relative(place)] = made::read(entry.path());
  return tree;
}

struct Target {
  std::string name, out, gguf_type;
  QuantizationConfig precision;
  std::uint64_t shard_bytes;
};
void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

class Continued : public testing::TestWithParam<Target> {
 protected:
  Continued() : folder("continued"), out(folder / GetParam().out), partial(out.string() + ".partial") {
    // A GGUF file carries its own tokenizer, a folder of this kind has none.
    if (GetParam().gguf_type.empty()) {
      source = folder / "model";
      fs::create_directory(source);
      made::write(source / "config.json", made::llama_config().dump());
      weights = source / "model.safetensors";
      made::write(weights, made::bf16_file(made::llama_tensors()));
    } else {
      source = weights = folder / "model.gguf";
      made::write(source, made::llama_gguf().bytes());
    }
  }

  QuantizeCheckpointOptions options() {
    QuantizeCheckpointOptions options;
    options.precision = GetParam().precision;
    options.gguf_type = GetParam().gguf_type;
    options.shard_bytes = GetParam().shard_bytes;
    options.threads = 2;
    options.say = [this](const std::string& sentence) { said += sentence + "\n"; };
    return options;
  }
  Tree uninterrupted() {
    const fs::path place = folder / ("whole-" + GetParam().out);
    fs::remove_all(place);
    // The output's own name is in a GGUF file's folder alone, not in its bytes.
    const auto report = quantize_checkpoint(source, place, options());
    EXPECT_TRUE(report) << report.error().message;
    said.clear();
    return tree_of(place);
  }
  // In a process of its own, which dies without a word behind so many weights. False: it was finished before.
  bool killed_after(int weights_done, int signal = SIGKILL) {
    const pid_t child = ::fork();
    if (child == 0) {
      QuantizeCheckpointOptions dying = options();
      int calls = 0;  // the first is for what is there at the start
      dying.progress = [&](std::uint64_t, std::uint64_t) {
        if (calls++ == weights_done) ::raise(signal);
      };
      ::_exit(quantize_checkpoint(source, out, dying) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << status;
    EXPECT_EQ(fs::exists(out), !WIFSIGNALED(status)) << "nothing has the name before it is whole";
    return WIFSIGNALED(status);
  }
  QuantizeReport finish() {
    said.clear();
    auto report = quantize_checkpoint(source, out, options());
    EXPECT_TRUE(report) << report.error().message;
    EXPECT_FALSE(fs::exists(partial));
    return report ? *report : QuantizeReport();
  }
  // The file of the output that was made first.
  fs::path first_file() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(partial / "output")) files.push_back(entry.path());
    EXPECT_FALSE(files.empty());
    return *std::min_element(files.begin(), files.end());
  }

  made::Folder folder;
  fs::path source, weights, out, partial;
  std::string said;
};

constexpr int all_weights = 11;

TEST_P(Continued, KilledAfterAnyWeightItEndsInTheSameBytes) {
  const Tree whole = uninterrupted();
  for (int done = 0; done < all_weights; ++done) {
    SCOPED_TRACE(done);
    ASSERT_TRUE(killed_after(done));
    const QuantizeReport report = finish();
    EXPECT_EQ(tree_of(out), whole);
    EXPECT_EQ(report.bytes_taken_over > 0, done > 0);
    EXPECT_EQ(said.find("continues: ") != std::string::npos, done > 0) << said;
    fs::remove_all(out);
  }
}

TEST_P(Continued, KilledAgainAndAgainItMakesEachWeightOnce) {
  const Tree whole = uninterrupted();
  int runs = 0;
  while (killed_after(1) && runs < 2 * all_weights) ++runs;
  EXPECT_EQ(runs, all_weights);
  EXPECT_EQ(tree_of(out), whole);
}

TEST_P(Continued, WhatWasDamagedMeanwhileIsMadeAgain) {
  const Tree whole = uninterrupted();
  const auto flip = [](const fs::path& file, std::size_t at) {
    std::string bytes = made::read(file);
    bytes[at % bytes.size()] ^= 1;
    made::write(file, bytes);
  };
  const fs::path journal = partial / "journal.partial";
  const std::pair<const char*, std::function<void()>> damages[] = {
      {"first byte of a file", [&] { flip(first_file(), 0); }},
      {"last byte of a file", [&] { flip(first_file(), std::size_t(-1) % fs::file_size(first_file())); }},
      {"middle of a file", [&] { flip(first_file(), fs::file_size(first_file()) / 2); }},
      {"a file is shorter", [&] { fs::resize_file(first_file(), fs::file_size(first_file()) - 7); }},
      {"a file is longer", [&] { made::write(first_file(), made::read(first_file()) + "more"); }},
      {"a file is empty", [&] { fs::resize_file(first_file(), 0); }},
      {"a file is gone", [&] { fs::remove(first_file()); }},
      {"a file that does not belong", [&] { made::write(partial / "output/config.json.partial-1", "x"); }},
      {"the journal is gone", [&] { fs::remove(journal); }},
      {"the journal is empty", [&] { fs::resize_file(journal, 0); }},
      {"the journal's last line is half written", [&] { fs::resize_file(journal, fs::file_size(journal) - 20); }},
      {"the journal's first line", [&] { flip(journal, 3); }},
      {"the journal, somewhere", [&] { flip(journal, fs::file_size(journal) * 2 / 3); }},
      {"the journal tells of a weight twice",
       [&] {
         std::string text = made::read(journal);
         text += text.substr(text.find('\n') + 1);
         made::write(journal, text);
       }},
      {"the journal is of another tensor", [&] {
         std::string text = made::read(journal);
         for (std::size_t at = 0; (at = text.find("_proj", at)) != std::string::npos; at += 5) text[at] = '-';
         made::write(journal, text);
       }}};
  for (const auto& [what, damage] : damages) {
    SCOPED_TRACE(what);
    ASSERT_TRUE(killed_after(8));
    damage();
    finish();
    EXPECT_EQ(tree_of(out), whole) << said;
    fs::remove_all(out);
  }
}

// Whoever may write there could have the rest of the work written over any file of its user.
TEST_P(Continued, LinksThatWerePlantedMeanwhileAreNotWrittenThrough) {
  const Tree whole = uninterrupted();
  const fs::path victim = folder / "victim";
  const std::string precious(100'000, 'p');
  for (const bool hard : {false, true})
    for (const bool finished : {false, true}) {
      SCOPED_TRACE(std::string(hard ? "hard" : "symbolic") + (finished ? ", for a finished file" : ""));
      ASSERT_TRUE(killed_after(8));
      made::write(victim, precious);
      fs::path place = first_file();
      fs::remove(place);
      if (finished && place.extension() == ".partial") place.replace_extension();
      hard ? fs::create_hard_link(victim, place) : fs::create_symlink(victim, place);
      finish();
      EXPECT_EQ(made::read(victim), precious);
      EXPECT_EQ(tree_of(out), whole);
      fs::remove_all(out);
    }
}

TEST_P(Continued, ASourceThatHasChangedIsReadAgainAndOneThatWasTouchedIsNot) {
  const Tree before = uninterrupted();
  ASSERT_TRUE(killed_after(8));
  fs::last_write_time(weights, fs::file_time_type::clock::now() + std::chrono::hours(1));
  ASSERT_TRUE(killed_after(0));
  EXPECT_GT(finish().bytes_taken_over, 0u);
  EXPECT_EQ(tree_of(out), before);
  fs::remove_all(out);

  ASSERT_TRUE(killed_after(8));
  std::string bytes = made::read(weights);
  bytes[bytes.size() - 32 * 2 - 64 * 32 * 2] ^= 1;  // in the down projection, or the norm before it
  bytes[bytes.size() / 2] ^= 1;
  made::write(weights, bytes);
  fs::last_write_time(weights, fs::file_time_type::clock::now() + std::chrono::hours(2));
  finish();
  EXPECT_NE(said.find("have changed"), std::string::npos) << said;
  const Tree after = tree_of(out);
  EXPECT_NE(after, before);
  EXPECT_EQ(after, uninterrupted());
}

TEST_P(Continued, AnotherRecipeStartsOver) {
  ASSERT_TRUE(killed_after(8));
  QuantizeCheckpointOptions other = options();
  if (GetParam().gguf_type.empty())
    other.precision = QuantizationConfig::nf4({.block_size = 128});
  else
    other.gguf_type = "q4_0";
  const auto report = quantize_checkpoint(source, out, other);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->bytes_taken_over, 0u);
  EXPECT_NE(said.find("was begun as"), std::string::npos) << said;
  EXPECT_NE(said.find("starts over"), std::string::npos) << said;
  const fs::path place = folder / ("other-" + GetParam().out);
  ASSERT_TRUE(quantize_checkpoint(source, place, other));
  EXPECT_EQ(tree_of(out), tree_of(place));
}

TEST_P(Continued, StoppedInOrderItKeepsWhatIsFinishedAndSaysSo) {
  const Tree whole = uninterrupted();
  QuantizeCheckpointOptions stopping = options();
  int asked = 0;
  stopping.stop = [&] { return asked++ == 8; };
  const auto stopped = quantize_checkpoint(source, out, stopping);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(int(stopped.error().code), int(Errc::cancelled));
  for (const char* word : {"stopped", "kept in", "the same command continues"})
    EXPECT_NE(stopped.error().message.find(word), std::string::npos) << stopped.error().message;
  EXPECT_FALSE(fs::exists(out));
  EXPECT_GT(finish().bytes_taken_over, 0u);
  EXPECT_EQ(tree_of(out), whole);
  fs::remove_all(out);

  asked = 8;
  const auto at_once = quantize_checkpoint(source, out, stopping);
  ASSERT_FALSE(at_once);
  EXPECT_NE(at_once.error().message.find("nothing was written"), std::string::npos) << at_once.error().message;
  EXPECT_FALSE(fs::exists(partial)) << "nothing is finished, so nothing is kept";
}

TEST_P(Continued, ADiskThatIsFullSaysHowMuchIsMissingAndLaterItContinues) {
  const Tree whole = uninterrupted();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    QuantizeCheckpointOptions limited = options();
    int calls = 0;
    limited.progress = [&](std::uint64_t, std::uint64_t) {  // from here on no file may grow
      const struct rlimit limit { 64, 64 };
      if (calls++ == 5) ::setrlimit(RLIMIT_FSIZE, &limit);
    };
    const auto report = quantize_checkpoint(source, out, limited);
    const std::string message = report ? "" : report.error().message;
    ::_exit(::write(ends[1], message.data(), message.size()) == ssize_t(message.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string message(4096, '\0');
  const ssize_t got = ::read(ends[0], message.data(), message.size());
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  ASSERT_GT(got, 0);
  message.resize(std::size_t(got));
  for (const char* word : {"cannot", "ulimit -f", "kept in", "bytes are still to be written", "continues there"})
    EXPECT_NE(message.find(word), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(out));
  EXPECT_GT(finish().bytes_taken_over, 0u);
  EXPECT_EQ(tree_of(out), whole);
}

TEST_P(Continued, AFaultOfTheSourceKeepsNothing) {
  std::string bytes = made::read(weights);
  bytes[bytes.size() - 1] = 0x7f;
  bytes[bytes.size() - 2] = char(0xc0);  // NaN at the end of the last norm
  made::write(weights, bytes);
  const auto refused = quantize_checkpoint(source, out, options());
  ASSERT_FALSE(refused);
  EXPECT_EQ(int(refused.error().code), int(Errc::corrupt_file)) << refused.error().message;
  EXPECT_FALSE(fs::exists(out));
  EXPECT_FALSE(fs::exists(partial)) << "going on would end there again";
}

INSTANTIATE_TEST_SUITE_P(All, Continued,
                         testing::Values(Target{"nf4_nested_in_shards", "out", "",
                                                QuantizationConfig::nf4({.double_quant = true}), 5000},
                                         Target{"nf4_in_one_file", "out", "", QuantizationConfig::nf4(), 1 << 30},
                                         Target{"int8_in_shards", "out", "", QuantizationConfig(Precision::int8), 2500},
                                         Target{"fp32_in_shards", "out", "", QuantizationConfig(Precision::fp32), 9000},
                                         Target{"gguf", "out.gguf", "q8_0", {}, 0}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace nibble
