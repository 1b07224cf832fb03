// explain: which product multiplies which weights.
#include "program.hpp"

namespace {

using namespace nibble::test;

class Explain : public Program {};

TEST_F(Explain, EveryLinearLayerOfAModelIsCountedOnceAndTheHeadAsWell) {
  const Outcome described = run("inspect " + shipped + " --json");
  ASSERT_EQ(described.status, 0) << described.err;
  const auto layers = described.json()["layers"].get<std::int64_t>();
  for (const std::string precision : {"stored", "nf4"}) {
    const Outcome r = run("explain " + shipped + " --precision " + precision + " --json");
    ASSERT_EQ(r.status, 0) << r.err;
    std::int64_t count = 0;
    const Json answer = r.json();
    for (const Json& weights : answer["weights"]) count += weights["count"].get<std::int64_t>();
    EXPECT_EQ(count, 7 * layers + 1) << r.out;
  }
}

TEST_F(Explain, AModelThatIsQuantizedIsExplainedAsItIsStored) {
  const std::string out = (folder / "nf4").string();
  ASSERT_EQ(run("quantize " + shipped + " " + out + " --to nf4").status, 0);
  const Json answer = run("explain " + out + " --json").json();
  for (const Json& weights : answer["weights"])
    EXPECT_EQ(weights["format"] == "nf4", weights["parts"] != Json::array({"lm_head"})) << weights;
}

TEST_F(Explain, EveryNumberOfRowsIsAnsweredOnce) {
  for (const std::string precision : {"bf16", "int8", "nf4", "fp32"}) {
    std::int64_t next = 1;
    const Json document = run("explain 512x1024 --json --precision " + precision).json();
    const Json& choices = document["weights"][0]["choices"];
    for (const Json& choice : choices) {
      EXPECT_EQ(choice["from_rows"], next) << choices;
      next = choice.value("to_rows", std::int64_t(0)) + 1;
    }
    EXPECT_EQ(next, 1) << "the last one has no end";
    const Outcome asked = run("explain 512x1024 --json --rows 1,512 --precision " + precision);
    ASSERT_EQ(asked.status, 0) << asked.err;
    const Json two = asked.json()["weights"][0]["choices"];
    ASSERT_EQ(two.size(), 2u);
    EXPECT_EQ(two[0]["how"], choices.front()["how"]);
    EXPECT_EQ(two[1]["how"], choices.back()["how"]);
  }
}

TEST_F(Explain, RowsThatAreNotWholeChunksAreRefusedByTheFastProductInWords) {
  const Outcome r = run("explain 64x100 --precision fp32");
  ASSERT_EQ(r.status, 0) << r.err;
  const bool plain = r.out.find("on reference\n") != std::string::npos;  // then there is nothing to choose from
  for (const std::string words : {"its rows are not whole chunks of 64", "+ decoded_f32"})
    EXPECT_EQ(r.out.find(words) == std::string::npos, plain) << r.out;
}

TEST_F(Explain, FitsATerminal) {
  for (const std::string& what : {shipped + " --precision int8", shipped, std::string("4096x4096 --precision nf4-dq"),
                                  std::string("64x100 --precision nf4")}) {
    std::istringstream lines(run("explain " + what).out);
    for (std::string line; std::getline(lines, line);)
      EXPECT_TRUE(line.size() <= 80 || line.find(shipped) == 0) << line;
  }
}

TEST_F(Explain, WrongRequestsAreRefusedWithWhatIsExpected) {
  const auto refused = [&](const std::string& arguments, const std::string& word) {
    const Outcome r = run("explain " + arguments);
    EXPECT_EQ(r.status, 2) << arguments << "\n" << r.err;
    EXPECT_NE(r.err.find(word), std::string::npos) << arguments << "\n" << r.err;
    EXPECT_EQ(r.out, "") << arguments;
  };
  refused("", "MODEL");
  refused(shipped + " --precision nf5", "nf5");
  refused("4096x4096", "--precision");
  refused("4096x --precision nf4", "ROWSxCOLUMNS");
  refused("12x34x56 --precision nf4", "ROWSxCOLUMNS");
  refused("0x64 --precision nf4", "expected 1 to");
  refused("99999999x64 --precision bf16", "expected 1 to");
  refused("99999999999999999999x64 --precision bf16", "ROWSxCOLUMNS");
  refused("64x64 --precision nf4 --rows 0", "expected 1 or more");
  refused("64x64 --precision nf4 --rows 1,two", "two");
  refused("64x64 --precision nf4 --cpu-target sse9", "sse9");
  refused("64x64 --precision nf4 --block-size 33", "33");
  refused((folder / "none").string(), "none");
}

}  // namespace
