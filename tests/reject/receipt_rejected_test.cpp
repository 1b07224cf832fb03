// Receipts that are damaged, each in one way, in both containers; and journals, of which only the whole part counts.
#include "../made/made_files.hpp"
#include "base/digest.hpp"
#include "engine/journal.hpp"
#include "nibble/quantize.hpp"
#include "nibble/verify.hpp"
#include "refused.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

const std::string hash(64, 'a'), other_hash(64, 'b');

std::string receipt(const std::string& tensors) {
  return R"({"nibble":"0.1.0","recipe":"nf4","source_type":"bf16","tensors":)" + tensors + "}";
}
std::string about(const std::string& name, const std::string& rest) { return "\"" + name + "\":{" + rest + "}"; }

struct Wrong {
  const char* what;
  std::string text;
  Errc code;
  Words words;
};

std::vector<Wrong> wrong_receipts() {
  const std::string good = R"("sha256":")" + hash + "\"";
  const auto tensor = [&](const std::string& rest) { return receipt("{" + about("a.weight", rest) + "}"); };
  const Words of_tensor = {"is wrong about tensor \"a.weight\"", "convert the model again"};
  return {
      {"no JSON", "{", Errc::corrupt_file, {"the receipt", "not valid JSON"}},
      {"nothing", "", Errc::corrupt_file, {"the receipt", "not valid JSON"}},
      {"a list", "[]", Errc::corrupt_file, {"is not an object"}},
      {"nested without end", std::string(1000, '['), Errc::corrupt_file, {"nested deeper"}},
      {"no version",
       R"({"recipe":"nf4","source_type":"bf16","tensors":{}})",
       Errc::corrupt_file,
       {"no text \"nibble\""}},
      {"the version is a number",
       R"({"nibble":1,"recipe":"nf4","source_type":"bf16","tensors":{}})",
       Errc::corrupt_file,
       {"no text \"nibble\""}},
      {"a later version's key",
       R"({"nibble":"9.0","recipe":"nf4","source_type":"bf16","tensors":{},"signature":"x"})",
       Errc::unsupported,
       {"\"signature\"", "does not know", "version 9.0"}},
      {"no tensors", R"({"nibble":"0.1.0","recipe":"nf4","source_type":"bf16"})", Errc::corrupt_file, {"no tensors"}},
      {"a list of tensors", receipt("[]"), Errc::corrupt_file, {"no tensors"}},
      {"a tensor twice",
       receipt("{" + about("a.weight", good) + "," + about("a.weight", R"("sha256":")" + other_hash + "\"") + "}"),
       Errc::corrupt_file,
       {"\"a.weight\" is named twice"}},
      {"no hash", tensor(R"("error":0)"), Errc::corrupt_file, of_tensor},
      {"a short hash", tensor(R"("sha256":"abc")"), Errc::corrupt_file, of_tensor},
      {"a hash in capitals", tensor(R"("sha256":")" + std::string(64, 'A') + "\""), Errc::corrupt_file, of_tensor},
      {"a hash that is a number", tensor(R"("sha256":12)"), Errc::corrupt_file, of_tensor},
      {"a hash of the source that is none", tensor(good + R"(,"source":"x")"), Errc::corrupt_file, of_tensor},
      {"a negative error", tensor(good + R"(,"error":-0.5)"), Errc::corrupt_file, of_tensor},
      {"an error that is text", tensor(good + R"(,"error":"small")"), Errc::corrupt_file, of_tensor},
      {"an error that is null", tensor(good + R"(,"error":null)"), Errc::corrupt_file, of_tensor},
      {"an error that is NaN", tensor(good + R"(,"error":NaN)"), Errc::corrupt_file, {"not valid JSON"}},
      {"an error beyond numbers", tensor(good + R"(,"error":1e999)"), Errc::corrupt_file, {"not valid JSON"}},
      {"a list of files",
       R"({"nibble":"0.1.0","recipe":"nf4","source_type":"bf16","files":[],"tensors":{}})",
       Errc::corrupt_file,
       {"is wrong about files"}},
      {"a file without a hash",
       R"({"nibble":"0.1.0","recipe":"nf4","source_type":"bf16","files":{"config.json":"x"},"tensors":{}})",
       Errc::corrupt_file,
       {"is wrong about file \"config.json\""}},
      {"a tensor that is a list", receipt(R"({"a.weight":[]})"), Errc::corrupt_file, of_tensor}};
}

// The safetensors file with other metadata.
void give_receipt(const fs::path& file, const std::string& text) {
  const std::string bytes = made::read(file);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  made::Json header = made::Json::parse(bytes.substr(8, length));
  header["__metadata__"]["nibble.receipt"] = text;
  made::write(file, made::safetensors(header.dump(), bytes.substr(8 + length)));
}

class ReceiptRejected : public testing::Test {
 protected:
  ReceiptRejected() : folder("receipts"), out(folder / "out") {
    fs::create_directory(folder / "model");
    made::write(folder / "model/config.json", made::llama_config().dump());
    made::write(folder / "model/model.safetensors", made::bf16_file(made::llama_tensors()));
  }
  void convert(std::uint64_t shard_bytes = 1 << 30) {
    QuantizeCheckpointOptions options;
    options.shard_bytes = shard_bytes;
    const auto done = quantize_checkpoint(folder / "model", out, options);
    ASSERT_TRUE(done) << done.error().message;
  }
  made::Folder folder;
  const fs::path out;
};

TEST_F(ReceiptRejected, EachDamageIsNamedInAFolder) {
  convert();
  ASSERT_TRUE(verify_checkpoint(out)->problems.empty());
  for (const Wrong& wrong : wrong_receipts()) {
    SCOPED_TRACE(wrong.what);
    give_receipt(out / "model.safetensors", wrong.text);
    Words words = wrong.words;
    words.push_back(out.string());
    expect_refused(verify_checkpoint(out), wrong.code, words);
  }
}

TEST_F(ReceiptRejected, EachDamageIsNamedInAGgufFile) {
  const fs::path file = folder / "x.gguf";
  for (const Wrong& wrong : wrong_receipts()) {
    SCOPED_TRACE(wrong.what);
    made::write(file, made::llama_gguf().text("nibble.receipt", wrong.text).bytes());
    Words words = wrong.words;
    words.push_back(file.string());
    expect_refused(verify_checkpoint(file), wrong.code, words);
  }
  made::write(file, made::llama_gguf().u32("nibble.receipt", 7).bytes());
  expect_refused(verify_checkpoint(file), Errc::corrupt_file, {file.string(), "nibble.receipt"});
  made::write(file, made::llama_gguf().bytes());
  expect_refused(verify_checkpoint(file), Errc::unsupported, {file.string(), "has no receipt"});
}

TEST_F(ReceiptRejected, WhatItTellsAndTheFileLacksIsAProblemAndTheOtherWayRound) {
  convert();
  give_receipt(out / "model.safetensors", receipt("{" + about("ghost.weight", R"("sha256":")" + hash + "\"") + "}"));
  const auto report = verify_checkpoint(out);
  ASSERT_TRUE(report) << report.error().message;
  const auto says = [&](const std::string& words) {
    return std::any_of(report->problems.begin(), report->problems.end(),
                       [&](const std::string& problem) { return problem.find(words) != std::string::npos; });
  };
  EXPECT_TRUE(says("\"ghost.weight\" is gone"));
  EXPECT_TRUE(says("\"model.norm.weight\" is not in the receipt"));
}

TEST_F(ReceiptRejected, ShardsOfDifferentConversionsDoNotPass) {
  convert(4000);
  std::vector<fs::path> shards;
  for (const auto& entry : fs::directory_iterator(out))
    if (entry.path().extension() == ".safetensors") shards.push_back(entry.path());
  ASSERT_GE(shards.size(), 2u);
  const std::string kept = made::read(shards[0]);
  give_receipt(shards[0], R"({"nibble":"0.1.0","recipe":"fp4","source_type":"bf16","tensors":{}})");
  expect_refused(verify_checkpoint(out), Errc::corrupt_file, {"different conversions", "fp4", "nf4"});
  const auto receipts = (*Checkpoint::open(out))->metadata_texts(Receipt::key);
  made::write(shards[0], kept);
  for (const fs::path& shard : shards) give_receipt(shard, receipts.back());
  expect_refused(verify_checkpoint(out), Errc::corrupt_file, {"two receipts tell of tensor"});
}

TEST(JournalRejected, WhatStandsBehindTheFirstDamagedLineIsLeftOut) {
  Journal journal;
  journal.to = "nf4";
  journal.recipe = "a recipe";
  journal.source = "model.safetensors 12 34\n";
  Journal::Record record;
  record.parts = {{"a.weight", 12, {hash, other_hash, 0.25}}, {"a.weight.absmax", 4, {hash, {}, {}}}};
  record.error = {0.1, 1e-300};
  const std::string first = journal.first_line(), line = Journal::line("a.weight", record);

  const Journal back = Journal::parse(first + line + Journal::line("b.weight", {}));
  EXPECT_EQ(back.to, journal.to);
  EXPECT_EQ(back.recipe, journal.recipe);
  EXPECT_EQ(back.source, journal.source);
  ASSERT_EQ(back.records.size(), 2u);
  const Journal::Record& read = back.records.at("a.weight");
  EXPECT_EQ(Journal::line("a.weight", read), line);
  EXPECT_EQ(read.error.difference, 0.1);
  EXPECT_EQ(read.error.original, 1e-300);

  const std::string whole = first + line;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const Journal cut = Journal::parse(whole.substr(0, length));
    EXPECT_EQ(cut.recipe.empty(), length < first.size()) << length;
    EXPECT_TRUE(cut.records.empty()) << length;
  }
  const auto records_with = [&](const std::string& changed) {
    return Journal::parse(first + changed + Journal::line("behind.weight", record)).records.size();
  };
  const auto hashed = [](const std::string& text) { return sha256(text) + " " + text + "\n"; };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = line.substr(65, line.size() - 66);
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return records_with(hashed(text.replace(at, from.size(), to)));
  };
  EXPECT_EQ(with("0.25", "0.5"), 2u) << "with the hash of what it says";
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"\"bytes\":12", "\"bytes\":-12"},
                                 {"\"bytes\":12", "\"bytes\":1.5"},
                                 {"\"bytes\":12", "\"bytes\":18446744073709551615"},
                                 {"\"bytes\":12", "\"size\":12"},
                                 {"\"name\":\"a.weight\"", "\"name\":7"},
                                 {hash, "short"},
                                 {other_hash, "short"},
                                 {"0.25", "-0.25"},
                                 {"0.25", "\"0.25\""},
                                 {"\"difference\":0.1", "\"difference\":-0.1"},
                                 {"\"difference\":0.1", "\"difference\":null"},
                                 {"\"original\":", "\"origin\":"},
                                 {"\"parts\":[", "\"parts\":[3,"},
                                 {"\"parts\":", "\"part\":"},
                                 {"{", "[{"}})
    EXPECT_EQ(with(from, to), 0u) << from << " as " << to;
  for (const std::string& wrong : {std::string("\n"), std::string("{}\n"), std::string("\xff\n"),
                                   hashed(R"({"nibble.journal":1,"to":"","recipe":"x","source":""})")})
    EXPECT_TRUE(Journal::parse(wrong + line).recipe.empty()) << wrong;
}

TEST(JournalRejected, AnErrorThatWasChangedMeanwhileIsNotTaken) {
  Journal journal;
  journal.to = journal.recipe = "nf4";
  Journal::Record record;
  record.parts = {{"a.weight", 12, {hash, other_hash, 0.25}}};
  record.error = {0.1, 1e-300};
  const std::string first = journal.first_line(), line = Journal::line("a.weight", record);
  ASSERT_EQ(Journal::parse(first + line).records.size(), 1u);
  for (const char* number : {"0.25", "0.1", "1e-300"}) {
    std::string text = line;
    text[text.find(number, 65)] ^= 1;
    EXPECT_EQ(Journal::parse(first + text).records.size(), 0u) << number;
  }
}

}  // namespace
}  // namespace nibble
