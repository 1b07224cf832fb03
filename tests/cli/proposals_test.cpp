// Every command that Nibble proposes runs: of the advisor, of `compare` and of `doctor`, on models as people have them.
#include <set>

#include "json_schema.hpp"
#include "program.hpp"

namespace {

using namespace nibble::test;

class Proposals : public Program {
 protected:
  // The shipped model in the forms that are around, by what each calls itself.
  std::vector<std::pair<std::string, std::string>> models() {
    std::vector<std::pair<std::string, std::string>> out = {{shipped, "bf16"}};
    for (const auto& [name, to, label] : {std::tuple{"fp32", "fp32", "fp32"},
                                          {"nf4", "nf4 --double-quant", "nf4 double-quant"},
                                          {"int8", "int8", "int8"},
                                          {"q4_1.gguf", "q4_1", "Q4_1"},
                                          {"q8_0.gguf", "q8_0", "Q8_0"},
                                          {"q4_k_m.gguf", "q4_k_m", "Q4_K_M (mixed)"}}) {
      const std::string path = (folder / name).string();
      const Outcome made = run("quantize " + shipped + " " + path + " --to " + to + " --quiet");
      EXPECT_EQ(made.status, 0) << made.err;
      out.emplace_back(path, label);
    }
    return out;
  }

  Json document(const std::string& arguments, const std::string& schema, int status = 0) {
    const Outcome r = run(arguments + " --json --quiet");
    EXPECT_EQ(r.status, status) << arguments << "\n" << r.err;
    const Json json = Json::parse(r.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << arguments << "\n" << r.out;
    const auto parsed = [&](const std::string& name) {
      return Json::parse(read(source + "/docs/json/" + name + ".schema.json"));
    };
    const JsonSchema check(
        parsed(schema), {{"memory.schema.json", parsed("memory")}, {"provenance.schema.json", parsed("provenance")}});
    for (const std::string& problem : check.problems_of(json)) ADD_FAILURE() << arguments << ": " << problem;
    return json;
  }

  // Shorter than proposed, in a folder of its own, each only once.
  void try_command(std::string command) {
    if (!tried_.insert(command).second) return;
    const fs::path here = folder / ("here" + std::to_string(tried_.size()));
    fs::create_directories(here);
    std::string shell;
    while (!command.empty()) {
      const std::size_t end = command.find(" && ");
      std::string part = command.substr(0, end);
      command = end == std::string::npos ? "" : command.substr(end + 4);
      if (part.rfind("nibble ", 0) == 0) part = std::string(NIBBLE_PROGRAM) + part.substr(6);
      if (part.find(" run ") != std::string::npos) part += " -n 2";
      if (part.find(" doctor ") != std::string::npos) part += " --tokens 32";
      if (part.find(" compare ") != std::string::npos)
        part += " --max-eval-tokens 32 --prompt-tokens 8 --decode-tokens 2 --new-tokens 2 --repeats 1";
      shell += (shell.empty() ? "" : " && ") + part;
    }
    const fs::path err = here / "stderr";
    const int status = std::system(
        ("cd '" + here.string() + "' && (TMPDIR=. ; " + shell + ") </dev/null >/dev/null 2>" + err.string()).c_str());
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0) << shell << "\n" << read(err);
    fs::remove_all(here);
  }
  std::size_t tried() const { return tried_.size(); }

 private:
  std::set<std::string> tried_;
};

TEST_F(Proposals, OfTheAdvisorRun) {
  for (const auto& [model, label] : models()) {
    for (const std::string memory : {"8GiB", "80MB", "64MB", "56MB", "50MB", "40MB", "30MB"})
      for (const std::string& options : {std::string(), std::string(" --precision nf4,q4_k_m,q8_0")}) {
        const Outcome r = run("estimate " + model + " --memory " + memory + options + " --json --quiet");
        ASSERT_TRUE(r.status == 0 || r.status == 3) << r.err;
        const Json advice = r.json()["advice"];
        EXPECT_EQ(advice.contains("precision"), r.status == 0) << "3: nothing fits";
        const std::string command = advice["command"];
        EXPECT_EQ(command.empty(), r.status == 3) << command;
        if (r.status == 0) try_command(command);
      }
    const Json first = document("estimate " + model + " --memory 8GiB", "estimate");
    EXPECT_EQ(first["precisions"][0]["label"], label);
    EXPECT_EQ(first["advice"]["label"], label);
  }
  EXPECT_GE(tried(), 20u);
}

TEST_F(Proposals, OfDoctorRun) {
  for (const auto& [model, label] : models()) {
    const bool folder_of_codes = label == "nf4 double-quant" || label == "int8";
    const std::string quality = folder_of_codes ? "" : " --quality";
    const Json report = document("doctor " + model + " --range --loading --tokens 32" + quality, "doctor-model");
    EXPECT_EQ(report["range"]["stored"], label);
    EXPECT_EQ(report["loading"]["loads"][0]["label"], label);
    if (!folder_of_codes) {
      EXPECT_EQ(report["quality"]["precisions"][0]["label"], label);
      EXPECT_TRUE(report["quality"]["precisions"][0]["stored"]);
    }
    for (const auto& [part, content] : report.items()) {
      if (!content.is_object() || !content.contains("findings")) continue;
      for (const Json& finding : content["findings"]) {
        const std::string command = finding["command"];
        // None makes a copy that is larger than what is there.
        if (label == "Q4_1" || label == "nf4 double-quant") {
          EXPECT_EQ(command.find("nibble quantize"), std::string::npos) << command;
        }
        try_command(command);
      }
    }
  }
  EXPECT_GE(tried(), 20u);
}

TEST_F(Proposals, OfCompareStartFromWhatIsStored) {
  const std::string small = " --max-eval-tokens 64 --prompt-tokens 8 --decode-tokens 2 --new-tokens 2 --repeats 1";
  const std::string gguf = (folder / "m.gguf").string(), nf4 = (folder / "nf4").string();
  ASSERT_EQ(run("quantize " + shipped + " " + gguf + " --to q4_1 --quiet").status, 0);
  ASSERT_EQ(run("quantize " + shipped + " " + nf4 + " --to nf4 --double-quant --quiet").status, 0);
  for (const auto& [model, label] : {std::pair{gguf, "Q4_1"}, {nf4, "nf4 double-quant"}}) {
    const Json report = document("compare " + model + small, "compare");
    EXPECT_EQ(report["reference"], label);
    EXPECT_EQ(report["results"][0]["label"], label);
    EXPECT_EQ(report["results"][0]["stored"], true);
    EXPECT_EQ(report["results"][0]["mean_kl"], 0.0);
    EXPECT_EQ(report["results"][1]["requantized_from"], label);
    EXPECT_GT(report["results"][1]["mean_kl"], 0.0);
    const std::string verdict = report["verdict"];
    EXPECT_NE(verdict.find(std::string("take ") + label + "."), std::string::npos) << verdict;
    EXPECT_NE(verdict.find("a second time: int8 ("), std::string::npos) << verdict;
    // Also where it was not asked for, since nothing else is its original.
    EXPECT_EQ(document("compare " + model + " --precisions int8" + small, "compare")["reference"], label);
    EXPECT_EQ(document("compare " + model + " --precisions int8,stored" + small, "compare")["reference"], label);
  }
  const Json plain = document("compare " + shipped + " --precisions stored,nf4" + small, "compare");
  EXPECT_EQ(plain["reference"], "bf16");
  EXPECT_EQ(plain["results"][0]["requantized_from"], "");
}

TEST_F(Proposals, ASecondRoundingIsSaidByEveryVerbThatMakesOne) {
  const std::string gguf = (folder / "m.gguf").string(),
                    text = write("text", read(source + "/data/held_out.txt").substr(0, 900));
  ASSERT_EQ(run("quantize " + shipped + " " + gguf + " --to q4_1 --quiet").status, 0);
  const std::string eval = "eval " + gguf + " --text " + text,
                    bench = "bench model " + gguf + " --prompt-tokens 8 --new-tokens 2 --repeats 1";
  for (const std::string& verb : {"run " + gguf + " Hello -n 2", eval}) {
    const Outcome again = run(verb + " --precision int8 --quiet"), stored = run(verb + " --quiet"),
                  whole = run(verb + " --precision fp32 --quiet");
    EXPECT_NE(again.err.find("the file holds Q4_1; its weights were rounded a second time, to int8"), std::string::npos)
        << again.err;
    EXPECT_EQ(stored.err, "");
    EXPECT_EQ(whole.err, "") << "fp32 keeps every value";
  }
  EXPECT_EQ(document("run " + gguf + " Hello -n 2 --precision int8", "run")["requantized_from"], "Q4_1");
  EXPECT_EQ(document(eval + " --precision int8", "eval")["requantized_from"], "Q4_1");
  EXPECT_FALSE(document(eval, "eval").contains("requantized_from"));
  EXPECT_EQ(document(bench + " --precision int8", "bench-model")["results"][0]["requantized_from"], "Q4_1");
  EXPECT_EQ(document(bench, "bench-model")["results"][0]["requantized_from"], "");
}

TEST_F(Proposals, EstimateSaysWhatAHobbyistAsksFirst) {
  const Outcome r = run("estimate 13b --memory 12GB");
  EXPECT_EQ(r.status, 0) << r.err;
  for (const char* word : {"Llama-2-13B", "as asked", "nf4", "BitsAndBytesConfig(", "does not use GPUs yet"})
    EXPECT_NE(r.out.find(word), std::string::npos) << word << "\n" << r.out;
  const Outcome none = run("estimate 70b --memory 24GB");
  EXPECT_EQ(none.status, 3) << "nothing fits";
  for (const char* word : {"Llama-3.1-70B", "nothing fits", "two cards"})
    EXPECT_NE(none.out.find(word), std::string::npos) << word << "\n" << none.out;
  document("estimate 70b --memory 24GB", "estimate", 3);
  document("estimate 13b --memory 12GB", "estimate");
  const Outcome spelled = run("estimate " + shipped + " --precision 'Q4_K_M, NF4' --json");
  ASSERT_EQ(spelled.status, 0) << spelled.err;
  const Json rows = spelled.json()["precisions"];
  EXPECT_EQ(rows[0]["precision"], "nf4");
  EXPECT_EQ(rows[1]["precision"], "q4_k_m");
}

}  // namespace
