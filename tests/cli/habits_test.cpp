// The habits of the command line: help, wrong requests, pipes, progress, Ctrl-C.
#include <sched.h>

#include "program.hpp"

namespace {

using namespace nibble::test;

class Habits : public Program {};

const char* verbs[] = {"doctor",  "inspect", "estimate", "explain",     "quantize",      "run",   "chat",
                       "compare", "eval",    "tokenize", "bench model", "bench kernels", "verify"};

TEST_F(Habits, EveryVerbExplainsItselfAndTakesTheCommonOptions) {
  for (const std::string verb : verbs) {
    const Outcome help = run(verb + " --help");
    EXPECT_EQ(help.status, 0) << verb;
    EXPECT_NE(help.out.find("--json"), std::string::npos) << verb;
    EXPECT_EQ(help.err, "") << verb;
    const Outcome unknown = run(verb + " x y --no-such-option" + (verb == "quantize" ? " --to nf4" : ""));
    EXPECT_EQ(unknown.status, 2) << verb;
    EXPECT_NE(unknown.err.find("no-such-option"), std::string::npos) << unknown.err;
    EXPECT_NE(unknown.err.find("nibble " + verb + " --help"), std::string::npos) << unknown.err;
    const Outcome device = run(verb + " --threads 1 --seed 1 --quiet --json --device tpu");
    EXPECT_EQ(device.status, 2) << verb;
    EXPECT_NE(device.err.find("no device \"tpu\" here; choose cpu or auto"), std::string::npos) << device.err;
  }
}

TEST_F(Habits, HelpShowsOnlyOptionsThatDoSomethingForTheVerb) {
  EXPECT_EQ(run("inspect --help").out.find("--threads"), std::string::npos);
  EXPECT_EQ(run("eval --help").out.find("--seed"), std::string::npos);
  EXPECT_NE(run("run --help").out.find("--seed"), std::string::npos);
  EXPECT_EQ(run("inspect " + shipped + " --threads 2 --seed 3 --quiet").status, 0) << "but takes them all";
}

TEST_F(Habits, AnUnknownVerbIsAnsweredWithTheOnesThereAre) {
  for (const std::string request : {"", "frobnicate", "bench", "bench frobnicate"}) {
    const Outcome r = run(request);
    EXPECT_EQ(r.status, 2) << request;
    EXPECT_NE(r.err.find(request.find("bench") == 0 ? "kernels" : "quantize"), std::string::npos) << r.err;
    EXPECT_EQ(r.out, "");
  }
}

TEST_F(Habits, WrongValuesAreRefusedBeforeAnythingIsLoaded) {
  const std::string text = write("text", "Once upon a time.");
  const auto refused = [&](const std::string& arguments, const std::string& word) {
    const Outcome r = run(arguments);
    EXPECT_EQ(r.status, 2) << arguments << "\n" << r.err;
    EXPECT_NE(r.err.find(word), std::string::npos) << arguments << "\n" << r.err;
    EXPECT_EQ(r.out, "") << arguments;
  };
  refused("run " + shipped + " x --threads 0", "threads");
  refused("run " + shipped + " x -n 0", "max-new-tokens");
  refused("run " + shipped + " x --system y", "--chat");
  refused("run " + shipped + " x --show-thinking --hide-thinking", "contradict");
  refused("eval " + shipped + " --text " + text + " --ids " + text, "one of");
  refused("eval " + shipped + " --text " + text + " --reference-precision nf4", "--reference");
  refused("eval " + shipped + " --text " + text + " --logits " + folder.string() + "/none/logits", "none/logits");
  refused("eval " + shipped + " --text " + folder.string(), "folder");
  refused("compare " + shipped + " --report " + folder.string() + "/none/report", "none/report");
  refused("compare " + shipped + " --precisions fp32,fp99", "fp99");
  refused("compare " + shipped + " --repeats 0", "repeats");
  refused("compare " + shipped + " --messages " + text, "role");
  refused("compare " + folder.string(), "config.json");
  refused("bench model", "MODEL");
  refused("tokenize " + shipped, "--file");
  refused("estimate 7b --precision int3", "int3");
  refused("chat " + source + "/tests/golden/models/llama2", "template");
}

TEST_F(Habits, PromptsAndTextsComeFromAPipe) {
  const std::string tail = " -n 6 --quiet";
  const Outcome named = run("run " + shipped + " 'Once upon a time'" + tail);
  ASSERT_EQ(named.status, 0) << named.err;
  EXPECT_EQ(run("run " + shipped + tail, "echo 'Once upon a time' |").out, named.out);
  EXPECT_EQ(run("run " + shipped + " -" + tail, "printf 'Once upon a time' |").out, named.out);
  EXPECT_EQ(run("tokenize " + shipped + " --file -", "printf 'a night' |").out,
            run("tokenize " + shipped + " 'a night'").out);
  const std::string text = write("text", "The old house stood at the end of the lane.");
  EXPECT_EQ(run("eval " + shipped + " --text - --quiet", "cat " + text + " |").out,
            run("eval " + shipped + " --text " + text + " --quiet").out);
}

TEST_F(Habits, AnOptionThatMayBeRepeatedTakesOneValueEachTime) {
  const Outcome r = run("run " + shipped + " --precision nf4 --stop . --skip lm_head 'Once upon a time' -n 4 --quiet");
  EXPECT_EQ(r.status, 0) << r.err;
}

TEST_F(Habits, ProgressGoesToStandardErrorALinePerTenthAndQuietSilencesIt) {
  const std::string out = (folder / "out").string();
  const Outcome r = run("quantize " + shipped + " " + out + " --to nf4");
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_NE(r.err.find("quantize: 50 %"), std::string::npos) << r.err;
  EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 10) << r.err;
  EXPECT_EQ(std::count(r.out.begin(), r.out.end(), '\n'), 1) << r.out;
  const Outcome quiet = run("quantize " + shipped + " " + out + "2 --to nf4 --quiet");
  EXPECT_EQ(quiet.err, "");
}

TEST_F(Habits, ProgressOnATerminalIsOneBar) {
  const std::string log = (folder / "log").string();
  const std::string command = "script -qec '" + std::string(NIBBLE_PROGRAM) + " quantize " + shipped + " " +
                              (folder / "out").string() + " --to nf4' " + log + " >/dev/null 2>&1 </dev/null";
  if (std::system("script -qec true /dev/null >/dev/null 2>&1 </dev/null") != 0)
    GTEST_SKIP() << "`script` is missing, or the system has no terminals to give";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::string seen = read(log);
  EXPECT_NE(seen.find("\rquantize [####################                    ]  50 %"), std::string::npos) << seen;
  const std::size_t end = seen.find("] 100 %");
  ASSERT_NE(end, std::string::npos) << seen;
  EXPECT_EQ(seen.find('\n', seen.find("\rquantize")), seen.find('\n', end)) << "one line: " << seen;
}

TEST_F(Habits, CtrlCKeepsWhatWasGenerated) {
  const Outcome r = run("run " + shipped + " 'Once upon a time' -n 2000 --cpu-target reference --quiet",
                        "timeout --foreground --preserve-status -s INT 2");
  EXPECT_EQ(r.status, 130) << r.err;
  EXPECT_GT(r.out.size(), 3u);
  EXPECT_EQ(r.out.back(), '\n');
}

TEST_F(Habits, CtrlCEndsEvalAndCompareInOrder) {
  const std::string stop = "timeout --foreground --preserve-status -s INT 2";
  const Outcome evaluated =
      run("eval " + shipped + " --text " + source + "/data/held_out.txt --precision fp32 --threads 1 --json", stop);
  EXPECT_EQ(evaluated.status, 130);
  EXPECT_NE(evaluated.err.find("stopped"), std::string::npos) << evaluated.err;
  EXPECT_EQ(evaluated.out, "");
  const Outcome compared = run("compare " + shipped + " --precisions fp32,nf4 --repeats 500", stop);
  EXPECT_EQ(compared.status, 130);
  EXPECT_NE(compared.err.find("stopped"), std::string::npos) << compared.err;
}

TEST_F(Habits, EstimateOfABareSizeGivesTheRuleOfThumbAndWhyRealityDiffers) {
  const Outcome r = run("estimate 7b --precision int4");
  EXPECT_EQ(r.status, 0) << r.err;
  for (const char* word : {"3.500 GB", "parameters * bits / 8", "scale", "16 bits", "KV cache", "2.822"})
    EXPECT_NE(r.out.find(word), std::string::npos) << word << "\n" << r.out;
  const Outcome all = run("estimate 7b");
  for (const char* word : {"28.000", "14.000", "7.000", "3.500"})
    EXPECT_NE(all.out.find(word), std::string::npos) << word << "\n" << all.out;
}

TEST_F(Habits, CompareKeepsWhatItMeasuredWhereTheStoredCopyDoesNotFit) {
  const Outcome r =
      run("compare " + shipped +
              " --precisions bf16,nf4 --stored-copy --max-eval-tokens 40 --prompt-tokens 8 --decode-tokens 2 "
              "--new-tokens 2 --repeats 1 --quiet --report " +
              (folder / "report").string(),
          "ulimit -f 8000;");  // 4 MB; the copy has 13
  EXPECT_EQ(r.status, 1) << r.err;
  EXPECT_NE(r.err.find("nf4: no stored copy: "), std::string::npos) << r.err;
  EXPECT_NE(r.out.find("Load copy of nf4: not measured:"), std::string::npos) << r.out;
  const Json nf4 = Json::parse(read(folder / "report.json"))["results"][1];
  EXPECT_EQ(nf4["error"], "");
  EXPECT_GT(nf4["perplexity"].get<double>(), 1);
  EXPECT_TRUE(nf4["stored_load_seconds"].is_null());
  EXPECT_NE(nf4["stored_copy_problem"], "");
}

TEST_F(Habits, CompareAndBenchSayThatTheMachineIsBusy) {
  // Beside a process that counts, on one processor: half of the time is waited for.
  cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  int processor = 0;
  while (!CPU_ISSET(processor, &allowed)) ++processor;
  const std::string busy = "taskset -c " + std::to_string(processor) +
                           " sh -c 'while :; do :; done & \"$@\"; status=$?; kill $!; exit $status' sh";
  const std::string work = " --threads 1 --prompt-tokens 64 --decode-tokens 32 --repeats 4 --json --quiet";
  const Outcome compared =
      run("compare " + shipped + " --precisions bf16,nf4 --max-eval-tokens 40 --new-tokens 2" + work, busy);
  ASSERT_EQ(compared.status, 0) << compared.err;
  const Json document = compared.json();
  EXPECT_GT(document["results"][0]["waiting_share"].get<double>(), 0.1) << compared.out;
  EXPECT_NE(document["busy"], "");
  EXPECT_NE(document["verdict"].get<std::string>().find("rests on sizes and quality alone"), std::string::npos)
      << document["verdict"];
  const Outcome measured =
      run("bench model " + shipped + " --threads 1 --prompt-tokens 64 --new-tokens 32 --repeats 4", busy);
  ASSERT_EQ(measured.status, 0) << measured.err;
  EXPECT_NE(measured.out.find("The machine was busy while bf16 was measured"), std::string::npos) << measured.out;
  EXPECT_EQ(run("bench model " + shipped + " --precisions nf4,bf16,nf4").status, 2);
}

TEST_F(Habits, CompareReportsAPrecisionThatFailsAndGoesOn) {
  const fs::path model = copied_model();
  // One weight beyond fp16's range: bf16 takes it, int8 refuses it.
  const fs::path shard = model / "model-00001-of-00003.safetensors";
  std::string bytes = read(shard);
  const std::size_t header = 8 + std::size_t(*reinterpret_cast<const std::uint64_t*>(bytes.data()));
  const Json names = Json::parse(bytes.substr(8, header - 8));
  const std::size_t at = header + names["model.layers.0.mlp.down_proj.weight"]["data_offsets"][0].get<std::size_t>();
  bytes[at] = char(0x80);
  bytes[at + 1] = char(0x48);  // bf16 262144
  std::ofstream(shard, std::ios::binary) << bytes;
  const Outcome r =
      run("compare " + model.string() +
          " --precisions bf16,int8 --max-eval-tokens 40 --prompt-tokens 8 --decode-tokens 2 --new-tokens 2 "
          "--repeats 1 --quiet --report " +
          (folder / "report").string());
  EXPECT_EQ(r.status, 1) << r.err;
  EXPECT_NE(r.out.find("not measured"), std::string::npos) << r.out;
  EXPECT_NE(r.err.find("int8"), std::string::npos) << r.err;
  EXPECT_NE(r.err.find("down_proj"), std::string::npos) << r.err;
  for (const char* ending : {"html", "md", "json"})
    EXPECT_NE(read(folder / (std::string("report.") + ending)).find("down_proj"), std::string::npos) << ending;
}

}  // namespace
