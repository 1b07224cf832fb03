// quantize to GGUF and back, verify, and what both refuse.
#include "json_schema.hpp"
#include "program.hpp"

namespace {

using namespace nibble::test;

class Convert : public Program {
 protected:
  std::string at(const std::string& name) const { return (folder / name).string(); }
  Outcome quantize(const std::string& from, const std::string& to, const std::string& options) {
    return run("quantize " + from + " " + to + " --quiet --to " + options);
  }
  // Refused with exit code 2 and these words, and nothing new in the folder.
  void refused(const Outcome& r, const std::vector<std::string>& words) {
    EXPECT_EQ(r.status, 2) << r.out << r.err;
    for (const std::string& word : words) EXPECT_NE(r.err.find(word), std::string::npos) << word << "\n" << r.err;
    for (const auto& entry : fs::directory_iterator(folder))
      EXPECT_EQ(entry.path().string().find("new"), std::string::npos) << entry.path() << " was left behind";
  }
};

TEST_F(Convert, AModelGoesToGgufAndBackAndVerifyKnowsBoth) {
  const Outcome written = quantize(shipped, at("x.gguf"), "q4_k_m");
  ASSERT_EQ(written.status, 0) << written.err;
  EXPECT_NE(written.out.find("relative error"), std::string::npos) << written.out;
  const Json inspected = run("inspect " + at("x.gguf") + " --json").json();
  EXPECT_EQ(inspected["container"], "gguf");
  EXPECT_EQ(inspected["precision"], "Q4_K_M (mixed)") << "rows of 384 fall back; the mix is the same";
  EXPECT_TRUE(inspected["bytes_by_dtype"].contains("Q4_K")) << inspected;
  EXPECT_TRUE(inspected["chat_template"].get<bool>()) << inspected;
  EXPECT_EQ(run("run " + at("x.gguf") + " 'It was a dark' -n 4 --quiet").status, 0);
  EXPECT_EQ(run("verify " + at("x.gguf") + " " + shipped + " --quiet").status, 0);

  refused(quantize(at("x.gguf"), at("new"), "bf16"), {"already quantized", "a second time", "--allow-requantize"});
  ASSERT_EQ(quantize(at("x.gguf"), at("y"), "bf16 --allow-requantize").status, 0);
  const Outcome verified = run("verify " + at("y") + " " + at("x.gguf") + " --json --quiet");
  EXPECT_EQ(verified.status, 0) << verified.err;
  EXPECT_EQ(verified.json()["compared"], 90);
  EXPECT_EQ(verified.json()["recipe"], "bf16");
  EXPECT_NE(verified.json()["source_type"].get<std::string>().find("Q4_K"), std::string::npos);
  EXPECT_EQ(quantize(at("x.gguf"), at("exact"), "fp32").status, 0) << "fp32 keeps every value, so nothing is asked";
}

TEST_F(Convert, VerifyFindsEveryKindOfChange) {
  ASSERT_EQ(quantize(shipped, at("x.gguf"), "q8_0").status, 0);
  ASSERT_EQ(quantize(shipped, at("y"), "nf4 --double-quant").status, 0);
  EXPECT_EQ(run("verify " + at("y") + " " + shipped + " --quiet").status, 0);
  EXPECT_EQ(run("verify " + at("y") + " " + at("x.gguf") + " --quiet").status, 1) << "another source";
  std::string bytes = read(folder / "x.gguf");
  bytes[bytes.size() - 5000] ^= 1;
  write("x.gguf", bytes);
  const Outcome changed = run("verify " + at("x.gguf") + " --json --quiet");
  EXPECT_EQ(changed.status, 1);
  ASSERT_EQ(changed.json()["problems"].size(), 1u);
  EXPECT_FALSE(changed.json()["intact"].get<bool>());
  EXPECT_NE(changed.json()["problems"][0].get<std::string>().find("bytes have changed"), std::string::npos);
  const JsonSchema schema(Json::parse(read(source + "/docs/json/verify.schema.json")));
  EXPECT_TRUE(schema.problems_of(changed.json()).empty());

  bytes = read(folder / "y/model.safetensors");  // an error in the receipt that is not the one of the weights
  const auto place = bytes.find("\\\"error\\\":9.");
  ASSERT_NE(place, std::string::npos);
  bytes[place + 10] = '8';
  write("y/model.safetensors", bytes);
  EXPECT_EQ(run("verify " + at("y") + " --quiet").status, 0) << "hashes are right";
  const Outcome lied = run("verify " + at("y") + " " + shipped + " --quiet");
  EXPECT_EQ(lied.status, 1);
  EXPECT_NE(lied.out.find("the receipt says 8."), std::string::npos) << lied.out;

  refused(run("verify " + shipped), {"has no receipt"});
  refused(run("verify " + at("nowhere")), {"no such folder or file"});
}

TEST_F(Convert, RequestsThatCannotBeMetSayWhatCan) {
  refused(quantize(shipped, at("new.gguf"), "nf4"), {"cannot hold nf4", "q4_k_m"});
  refused(quantize(shipped, at("new"), "q4_k_m"), {"ends in .gguf", "nf4"});
  refused(quantize(shipped, at("new.gguf"), "q9"), {"\"q9\"", "q4_k_m"});
  refused(quantize(shipped, at("new"), "q9"), {"\"q9\"", "q4_k_m", "nf4"});
  refused(quantize(shipped, at("new.gguf"), "q4_k"), {"token_embd.weight", "rows of 384", "q4_k_m"});
  refused(quantize(shipped, at("new.gguf"), "q8_0 --double-quant"), {"for folders"});
  refused(quantize(shipped, at("no/such/new.gguf"), "q8_0"), {"no folder"});
  write("here.gguf", "precious");
  refused(quantize(shipped, at("here.gguf"), "q8_0"), {"exists already"});
  EXPECT_EQ(read(folder / "here.gguf"), "precious");
  const Outcome full = run("quantize " + shipped + " " + at("new.gguf") + " --quiet --to q8_0", "ulimit -f 1000;");
  EXPECT_EQ(full.status, 1) << full.err;
  EXPECT_NE(full.err.find("ulimit -f"), std::string::npos) << full.err;
  for (const auto& entry : fs::directory_iterator(folder))
    EXPECT_EQ(entry.path().string().find("new"), std::string::npos) << entry.path() << " was left behind";
}

}  // namespace
