// `doctor MODEL` as a user meets it: the text, the documents, commands that run, requests that are wrong.
#include "../made/damaged_model.hpp"
#include "json_schema.hpp"
#include "program.hpp"

namespace {

using namespace nibble::test;

class Doctor : public Program {
 protected:
  Json checked(const std::string& arguments) {
    const Outcome r = run("doctor " + arguments + " --json --quiet");
    EXPECT_EQ(r.status, 0) << arguments << "\n" << r.err;
    const Json document = Json::parse(r.out, nullptr, false);
    EXPECT_FALSE(document.is_discarded()) << r.out;
    const JsonSchema schema(Json::parse(read(source + "/docs/json/doctor-model.schema.json")));
    for (const std::string& problem : schema.problems_of(document)) ADD_FAILURE() << arguments << ": " << problem;
    return document;
  }
  // Every command that a finding names does what it says.
  void try_commands(const Json& findings) {
    for (const Json& finding : findings) {
      std::string command = finding["command"];
      if (command.rfind("nibble ", 0) != 0) {  // cat, cp
        EXPECT_EQ(std::system(("cd '" + folder.string() + "' && TMPDIR=. " + command).c_str()), 0) << command;
        continue;
      }
      command = command.substr(7);
      if (command.rfind("run ", 0) == 0) command += " -n 2";
      if (command.rfind("doctor ", 0) == 0) command += " --tokens 32";
      if (command.rfind("compare ", 0) == 0)
        command += " --max-eval-tokens 32 --prompt-tokens 8 --decode-tokens 2 --new-tokens 2 --repeats 1";
      const Outcome r = run(command, "cd '" + folder.string() + "' &&");  // a copy is made in the current folder
      EXPECT_EQ(r.status, 0) << command << "\n" << r.err;
    }
  }
};

TEST_F(Doctor, TellsTheRangeOfTheShippedModel) {
  const Json range = checked(shipped + " --tokens 64")["range"];
  EXPECT_EQ(range["stored"], "bf16");
  EXPECT_EQ(range["tokens"], 64);
  EXPECT_EQ(range["weights"].size(), 90u);
  EXPECT_EQ(range["without_bf16_hardware"], "fp16");
  try_commands(range["findings"]);
  const Outcome text = run("doctor " + shipped + " --tokens 64");
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("fp16 holds this model"), std::string::npos) << text.out;
  EXPECT_LE(std::count(text.out.begin(), text.out.end(), '\n'), 42) << "short enough to read, at 80 columns";
}

TEST_F(Doctor, ReadsATextOfItsUser) {
  const std::string text =
      write("my text", std::string(40, 'x') + " " + read(source + "/data/held_out.txt").substr(0, 2000));
  EXPECT_EQ(checked(shipped + " --tokens 48 --text '" + text + "'")["range"]["tokens"], 48);
}

TEST_F(Doctor, TellsTheQualityOfTheShippedModel) {
  const Json quality = checked(shipped + " --quality --tokens 64")["quality"];
  EXPECT_EQ(quality["precisions"].size(), 6u);
  EXPECT_EQ(quality["layers"].size(), 56u);
  EXPECT_EQ(quality["worst_kept"]["skip"].size(), 3u);
  try_commands(quality["findings"]);
  EXPECT_TRUE(fs::exists(folder / "gutenberg-16m-nf4-kept" / "config.json")) << "the command made the copy";
  const Outcome text = run("doctor " + shipped + " --quality --tokens 32 --precision int8");
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("In int8 these layers lose most: model.layers."), std::string::npos) << text.out;
  EXPECT_LE(std::count(text.out.begin(), text.out.end(), '\n'), 38) << "short enough to read, at 80 columns";
}

TEST_F(Doctor, NamesTheLayerThatWasSpoiled) {
  const fs::path model = copied_model();
  made::spoil_blocks(model, "model.layers.4.mlp.up_proj", "model.layers.4.post_attention_layernorm", 3);
  const Outcome r = run("doctor " + model.string() + " --quality --tokens 32 --quiet");
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_NE(r.out.find("In nf4 these layers lose most: model.layers.4.mlp.up_proj (KL "), std::string::npos) << r.out;
}

TEST_F(Doctor, TellsWhereALoadSpendsItsTime) {
  const Json loading = checked(shipped + " --loading")["loading"];
  ASSERT_EQ(loading["loads"].size(), 3u);
  EXPECT_EQ(loading["file_bytes"], 31'482'168);
  EXPECT_TRUE(loading["loads"][0]["as_stored"]);
  for (const Json& load : loading["loads"])
    EXPECT_LE(load["opening_seconds"].get<double>() + load["quantizing_seconds"].get<double>() +
                  load["packing_seconds"].get<double>(),
              load["seconds"].get<double>());
  for (const int quantized : {1, 2}) EXPECT_GT(loading["loads"][quantized]["quantizing_seconds"], 0.0);
  try_commands(loading["findings"]);
  const fs::path copy = folder / "gutenberg-16m-nf4";
  ASSERT_TRUE(fs::exists(copy / "config.json")) << "the command made the copy";
  const Json stored = checked(copy.string() + " --loading")["loading"];
  EXPECT_TRUE(stored["loads"][2]["as_stored"]) << "nothing is left to quantize";
  const Outcome refused = run("doctor " + copy.string() + " --quality");
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("--reference ORIGINAL"), std::string::npos) << refused.err;
}

TEST_F(Doctor, AnswersSeveralQuestionsAtOnce) {
  const Json all = checked(shipped + " --range --quality --loading --tokens 32");
  for (const char* part : {"range", "quality", "loading"}) EXPECT_TRUE(all.contains(part)) << part;
  const Json one = checked(shipped + " --loading");
  EXPECT_FALSE(one.contains("range"));
}

TEST_F(Doctor, QuotesAPathThatAShellWouldCut) {
  const std::string odd = (folder / "it's a model").string();
  fs::copy(shipped, odd);
  std::string quoted = odd;
  quoted.replace(quoted.find('\''), 1, "'\\''");
  Json runs = Json::array();  // the others name the model in the same way
  const Json report = checked("'" + quoted + "' --tokens 32");
  for (const Json& finding : report["range"]["findings"])
    if (finding["command"].get<std::string>().rfind("nibble run ", 0) == 0) runs.push_back(finding);
  EXPECT_FALSE(runs.empty());
  try_commands(runs);
}

TEST_F(Doctor, RefusesWhatItCannotDo) {
  const std::string text = write("short", "Too short.");
  for (const auto& [arguments, says] : {std::pair<std::string, std::string>{"/nowhere/at/all", "/nowhere/at/all"},
                                        {shipped + " --text " + text, "fewer than the 32"},
                                        {shipped + " --text /nowhere/text", "/nowhere/text"},
                                        {shipped + " --tokens 5", "expected 32 to 2048"},
                                        {shipped + " --tokens many", "--max-eval-tokens"},
                                        {shipped + " --precision nf4 --bogus", "--bogus"},
                                        {shipped + " --quality --precision bf16", "int8, nf4 or fp4, not bf16"},
                                        {shipped + " --quality --block-size 7", "block size 7"},
                                        {shipped + " --quality --text " + text, "fewer than the 32"},
                                        {shipped + " --loading --precision nf5", "nf5"},
                                        {"/nowhere/at/all --loading", "/nowhere/at/all"},
                                        {"--range", "nibble doctor MODEL"},
                                        {"--loading", "nibble doctor MODEL"},
                                        {"--text " + text, "nibble doctor MODEL"}}) {
    const Outcome r = run("doctor " + arguments);
    EXPECT_EQ(r.status, 2) << arguments;
    EXPECT_TRUE(r.out.empty()) << r.out;
    EXPECT_NE(r.err.find(says), std::string::npos) << r.err;
  }
}

}  // namespace
