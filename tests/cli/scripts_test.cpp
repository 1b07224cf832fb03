// What scripts and batch systems do to the program: signals, closed streams, jobs that are given again, options that
// would do nothing, links where the output should be.
#include <sys/stat.h>

#include <cstring>

#include "program.hpp"

namespace {

using namespace nibble::test;

class Scripts : public Program {
 protected:
  std::string at(const std::string& name) const { return (folder / name).string(); }
  void refused(const std::string& arguments, const std::vector<std::string>& words) {
    const Outcome r = run(arguments);
    EXPECT_EQ(r.status, 2) << arguments << "\n" << r.err;
    EXPECT_EQ(r.out, "") << arguments;
    for (const std::string& word : words) EXPECT_NE(r.err.find(word), std::string::npos) << word << " in: " << r.err;
  }
  static std::ptrdiff_t entries(const fs::path& place) { return std::distance(fs::directory_iterator(place), {}); }
};

TEST_F(Scripts, EverySignalThatEndsAJobHasItsExitCode) {
  for (const auto& [signal, status] : {std::pair{"INT", 130}, {"TERM", 143}, {"HUP", 129}}) {
    const Outcome r = run("run " + shipped + " 'Once upon a time' -n 2000 --cpu-target reference --quiet",
                          std::string("timeout --foreground --preserve-status -s ") + signal + " 2");
    EXPECT_EQ(r.status, status) << r.err;
    EXPECT_GT(r.out.size(), 3u) << "what was said so far is kept";
    EXPECT_EQ(r.out.back(), '\n');
  }
}

// Ends compare while its stored copy is being made or loaded; the folder for it is the sign that it is there.
TEST_F(Scripts, TemporaryFoldersGoWithTheJobAlsoWhenItIsToldTwice) {
  const std::string place = at("tmp");
  fs::create_directory(place);
  for (const std::string kill : {"kill -INT $p", "kill -TERM $p", "kill -HUP $p", "kill -TERM $p; kill -TERM $p",
                                 "kill -INT $p; kill -INT $p; sleep 0.02; kill -INT $p 2>/dev/null"}) {
    const std::string script = write("end.sh", "p=$!\nfor i in $(seq 600); do ls " + place +
                                                   " | grep -q compare && break; sleep 0.05; done\n" + "ls " + place +
                                                   " | grep -c compare\n" + kill + "\nwait $p\necho $?\n");
    const std::string command = "sh -c 'TMPDIR=" + place + " " + NIBBLE_PROGRAM + " compare " + shipped +
                                " --precisions nf4 --stored-copy --repeats 500 --quiet >/dev/null 2>&1 & . " + script +
                                "' >" + at("said");
    ASSERT_EQ(std::system(command.c_str()), 0);
    const std::string said = read(at("said"));
    EXPECT_EQ(said, std::string("1\n") +
                        (kill.find("TERM") != kill.npos  ? "143"
                         : kill.find("HUP") != kill.npos ? "129"
                                                         : "130") +
                        "\n")
        << kill;
    EXPECT_EQ(entries(place), 0) << kill;
  }
}

TEST_F(Scripts, AStandardStreamThatIsClosedOrFullIsNoReasonToAbort) {
  const auto status = [&](const std::string& arguments, const std::string& redirection) {
    const int code = std::system((std::string(NIBBLE_PROGRAM) + " " + arguments + " </dev/null >" + at("out") + " 2>" +
                                  at("err") + " " + redirection)
                                     .c_str());
    return WIFEXITED(code) ? WEXITSTATUS(code) : 128 + WTERMSIG(code);
  };
  const std::string answer = "run " + shipped + " 'Once upon a time' -n 4";
  ASSERT_EQ(status(answer, ""), 0);
  const std::string said = read(at("out"));
  for (const char* silent : {"2>&-", "2>/dev/full"}) {
    EXPECT_EQ(status(answer + " --memory-report", silent), 0) << silent;
    EXPECT_EQ(read(at("out")), said) << silent;
    EXPECT_EQ(status("frobnicate", silent), 2) << silent;
    EXPECT_EQ(status("run /no/such/model hi", silent), 2) << silent;
    fs::remove_all(at("copy"));
    EXPECT_EQ(status("quantize " + shipped + " " + at("copy") + " --to nf4", silent), 0) << silent;
    EXPECT_EQ(status("verify " + at("copy"), ""), 0) << "nothing that was said stands in a file; " << silent;
  }
  for (const char* deaf : {">&-", ">/dev/full"})
    for (const std::string& arguments : {answer, std::string("--help"), std::string("--version")})
      EXPECT_EQ(status(arguments, deaf), 1) << arguments << deaf;
  EXPECT_EQ(status("run " + shipped + " - -n 4", "0<&- 2>&-"), 2) << "an empty prompt";
}

TEST_F(Scripts, AFileThatIsCutWhileItIsMappedIsNamed) {
  const fs::path model = copied_model();
  // The second line comes when the first was answered, so the model is loaded; then its files lose their pages.
  const std::string lines = "(echo hi; while [ ! -s " + at("answer") + " ]; do sleep 0.05; done; for f in " +
                            model.string() + "/*.safetensors; do truncate -s 4096 $f; done; echo more) | ";
  const int code = std::system((lines + NIBBLE_PROGRAM + " chat " + model.string() + " -n 4 >" + at("answer") + " 2>" +
                                at("err") + "; echo $? >" + at("status"))
                                   .c_str());
  ASSERT_EQ(code, 0);
  EXPECT_EQ(read(at("status")), "1\n");
  const std::string said = read(at("err"));
  EXPECT_NE(said.find(model.string() + "/model-0000"), std::string::npos) << said;
  EXPECT_NE(said.find("has become shorter while it was read"), std::string::npos) << said;
}

TEST_F(Scripts, AConversionThatIsDoneIsDone) {
  for (const std::string& to : {at("out") + " --to nf4", at("x.gguf") + " --to q8_0"}) {
    const std::string command = "quantize " + shipped + " " + to;
    ASSERT_EQ(run(command).status, 0);
    const Outcome again = run(command);
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_NE(again.out.find("nothing to do"), std::string::npos) << again.out;
    EXPECT_TRUE(run(command + " --json").json()["stood_already"].get<bool>());
  }
  const std::string nf4 = "quantize " + shipped + " " + at("out") + " --to nf4";
  for (const char* other : {" --double-quant", " --block-size 128", " --skip q_proj", " --quant-storage bfloat16",
                            " --max-shard-size 1MB", " --compute-dtype fp32"}) {
    const Outcome r = run(nf4 + other);
    EXPECT_EQ(r.status, 2) << other;
    EXPECT_NE(r.err.find("is not what this would make"), std::string::npos) << r.err;
  }
  const fs::path weights = fs::path(at("out")) / "model.safetensors";
  std::string bytes = read(weights);
  bytes[bytes.size() - 5] ^= 1;
  std::ofstream(weights, std::ios::binary) << bytes;
  EXPECT_EQ(run(nf4).status, 2) << "a bit of a weight";
  EXPECT_EQ(run(nf4 + " --force").status, 0);
  EXPECT_EQ(run("verify " + at("out") + " " + shipped).status, 0);
  EXPECT_EQ(run(nf4).status, 0);
  std::ofstream(fs::path(at("out")) / "tokenizer_config.json", std::ios::app) << " ";
  EXPECT_EQ(run(nf4).status, 2) << "a blank in the tokenizer's file";
}

TEST_F(Scripts, ForceReplacesWhatQuantizeWroteAndNothingElse) {
  const fs::path model = copied_model(), other = folder / "other";
  fs::create_directory(other);
  write("other/thesis.txt", "years of work");
  refused("quantize " + shipped + " " + other.string() + " --to nf4 --force", {"no receipt", "remove it yourself"});
  fs::copy(model, other, fs::copy_options::recursive);
  refused("quantize " + shipped + " " + other.string() + " --to nf4 --force", {"no receipt", "remove it yourself"});
  EXPECT_EQ(read(other / "thesis.txt"), "years of work");
  ASSERT_EQ(run("quantize " + shipped + " " + at("out") + " --to fp32").status, 0);
  refused("quantize " + at("out") + " " + at("out") + " --to nf4 --force", {"exists already"});
  const Outcome r = run("quantize " + shipped + " " + at("out") + " --to int8 --force");
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(run("verify " + at("out") + " --json").json()["recipe"], "int8");
  EXPECT_FALSE(fs::exists(at("out.partial")));
}

TEST_F(Scripts, AnOutputThatIsEmptyOrALinkIsRefusedBeforeTheWork) {
  refused("quantize " + shipped + " \"\" --to nf4", {"OUT is empty"});
  fs::create_directory(folder / "real");
  fs::create_directory_symlink(folder / "real", folder / "link");
  fs::create_symlink(folder / "nothing", folder / "dangling");
  fs::create_symlink(folder / "nothing.gguf", folder / "dangling.gguf");
  for (const std::string& out : {at("link") + " --to nf4", at("link") + "/ --to nf4", at("dangling") + " --to nf4",
                                 at("dangling.gguf") + " --to q8_0", at("link") + " --to nf4 --force"})
    refused("quantize " + shipped + " " + out, {"is a link to", "name that place itself"});
  EXPECT_EQ(entries(folder / "real"), 0);
  EXPECT_FALSE(fs::exists(at("nothing")));
}

TEST_F(Scripts, OptionsThatWouldDoNothingAreRefused) {
  const std::string hi = "run " + shipped + " hi -n 1 ";
  refused(hi + "--double-quant", {"--double-quant is for nf4 and fp4", "as it is stored"});
  refused(hi + "--block-size 64", {"--block-size is for nf4 and fp4"});
  refused(hi + "--precision bf16 --block-size 64", {"--block-size", "does nothing for bf16"});
  refused(hi + "--precision nf4 --int8-threshold 3", {"--int8-threshold is for int8", "does nothing for nf4"});
  refused(hi + "--skip q_proj", {"--skip is for"});
  refused(hi + "--precision nf4 --skip qproj", {"\"qproj\" finds no module", "did you mean \"q_proj\"?"});
  refused(hi + "--precision nf4 --skip 'layers\\.99\\.'", {"finds no module", "mlp.down_proj"});
  refused("compare " + shipped + " --precisions bf16,fp16 --int8-threshold 3", {"does nothing for bf16,fp16"});
  refused("quantize " + shipped + " " + at("o") + " --to int8 --block-size 128", {"--block-size", "int8"});
  refused("quantize " + shipped + " " + at("o") + " --to nf4 --skip nomatch", {"\"nomatch\" finds no module"});
  refused("quantize " + shipped + " " + at("o.gguf") + " --to q8_0 --block-size 64", {"not for GGUF"});
  EXPECT_EQ(run(hi + "--precision nf4 --skip lm_head --block-size 128").status, 0);
}

TEST_F(Scripts, MoreThreadsThanCoresAreNoted) {
  const Outcome r = run("run " + shipped + " hi -n 1 --threads 900");
  EXPECT_EQ(r.status, 0);
  EXPECT_NE(r.err.find("900 threads on "), std::string::npos) << r.err;
  EXPECT_EQ(run("run " + shipped + " hi -n 1 --threads 900 --quiet").err, "");
}

TEST_F(Scripts, ACopyTakesWhatAModelNeedsAndNothingThatLinksLeadTo) {
  const fs::path model = copied_model();
  write("secret", "a key of its owner's");
  fs::create_symlink(folder / "secret", model / "notes.txt");
  for (const char* name : {"model.py", "weights.pkl", "tf_model.h5", "model.onnx"})
    write(std::string("model/") + name, "x");
  write("model/LICENSE", "as you like");
  ::chmod((model / "tokenizer_config.json").c_str(), 0600);
  const Outcome r = run("quantize " + model.string() + " " + at("out") + " --to nf4");
  ASSERT_EQ(r.status, 0) << r.err;
  for (const char* name : {"notes.txt", "model.py", "weights.pkl", "tf_model.h5", "model.onnx"}) {
    EXPECT_FALSE(fs::exists(folder / "out" / name)) << name;
    EXPECT_NE(r.err.find(name), std::string::npos) << "said to be left: " << r.err;
  }
  EXPECT_EQ(read(folder / "out/LICENSE"), "as you like");
  EXPECT_EQ(fs::status(folder / "out/tokenizer_config.json").permissions(), fs::perms(0600));
  fs::remove(model / "LICENSE");
  fs::create_symlink(folder / "secret", model / "LICENSE");
  refused("quantize " + model.string() + " " + at("other") + " --to nf4",
          {"LICENSE", "leads out of the model's folder"});
  EXPECT_FALSE(fs::exists(at("other.partial")));
}

// huggingface_hub's cache: snapshots of links to blobs, which belong to the model.
TEST_F(Scripts, ASnapshotOfTheHubIsCopiedThroughItsLinks) {
  const fs::path snapshot = folder / "models--a--b/snapshots/1", blobs = folder / "models--a--b/blobs";
  fs::create_directories(snapshot);
  fs::copy(shipped, blobs, fs::copy_options::recursive);
  for (const auto& blob : fs::directory_iterator(blobs))
    fs::create_symlink("../../blobs/" + blob.path().filename().string(), snapshot / blob.path().filename());
  const Outcome r = run("quantize " + snapshot.string() + " " + at("out") + " --to nf4");
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(folder / "out/tokenizer.json")));
  EXPECT_EQ(read(folder / "out/tokenizer.json"), read(fs::path(shipped) / "tokenizer.json"));
}

TEST_F(Scripts, VerifyCoversConfigAndTokenizer) {
  const std::string out = at("out");
  const auto fresh = [&] {
    fs::remove_all(out);
    ASSERT_EQ(run("quantize " + shipped + " " + out + " --to nf4").status, 0);
  };
  fresh();
  EXPECT_EQ(run("verify " + out + " --json").json()["files"], 4);
  EXPECT_EQ(run("verify " + out).status, 0);
  std::ofstream(out + "/README.md") << "a card is no model";
  EXPECT_EQ(run("verify " + out).status, 0);
  for (const char* name : {"config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
    fresh();
    std::ofstream(out + "/" + name, std::ios::app) << " ";
    const Outcome changed = run("verify " + out);
    EXPECT_EQ(changed.status, 1) << name;
    EXPECT_NE(changed.out.find(std::string(name) + " is not what was written"), std::string::npos) << changed.out;
    if (std::string(name) == "config.json") continue;
    fs::remove(out + "/" + name);
    EXPECT_NE(run("verify " + out).out.find(std::string(name) + " is gone"), std::string::npos);
  }
  fresh();
  std::ofstream(out + "/chat_template.jinja") << "{{ messages }}";
  EXPECT_NE(run("verify " + out).out.find("chat_template.jinja was added later"), std::string::npos);
}

// As they were written before there were hashes of small files.
TEST_F(Scripts, AnOlderReceiptStillVerifiesAndSaysWhatItDoesNotCover) {
  const std::string out = at("out"), weights = out + "/model.safetensors";
  ASSERT_EQ(run("quantize " + shipped + " " + out + " --to nf4").status, 0);
  std::string bytes = read(weights);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  Json header = Json::parse(bytes.substr(8, length));
  Json receipt = Json::parse(header["__metadata__"]["nibble.receipt"].get<std::string>());
  ASSERT_EQ(receipt.erase("files"), 1u);
  header["__metadata__"]["nibble.receipt"] = receipt.dump();
  std::string text = header.dump();
  text.resize(length, ' ');
  std::ofstream(weights, std::ios::binary) << bytes.replace(8, length, text);
  std::ofstream(out + "/config.json", std::ios::app) << " ";
  const Outcome r = run("verify " + out);
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_NE(r.out.find("not covered: config.json, tokenizer"), std::string::npos) << r.out;
  EXPECT_EQ(run("verify " + out + " --json").json()["files"], 0);
}

}  // namespace
