// The program as a user meets it: what it prints, how it exits, what it leaves behind.
#include <fmt/format.h>

#include <cmath>

#include "../made/made_files.hpp"
#include "program.hpp"

namespace {

using namespace nibble::test;

TEST_F(Program, InspectCountsEveryParameterOfTheShippedModel) {
  const Outcome r = run("inspect " + shipped + " --json");
  ASSERT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(r.json()["parameters"], 15736192);
  EXPECT_EQ(r.json()["bytes"]["linear_weights"], 25165824);
  EXPECT_TRUE(r.json()["not_understood"].empty());
}

TEST_F(Program, InspectCountsWhatItDoesNotUnderstandByLayer) {
  const made::Folder folder("inspect-unknown");
  made::write(folder / "config.json", made::llama_config().dump());
  std::string header, data;
  for (const char* name : {"model.layers.0.extra.weight", "model.layers.12.extra.weight", "model.7"}) {
    header += fmt::format(R"({}"{}":{{"dtype":"F8_E4M3","shape":[2],"data_offsets":[{},{}]}})",
                          header.empty() ? "" : ",", name, data.size(), data.size() + 2);
    data += "xx";
  }
  made::write(folder / "model.safetensors", made::safetensors("{" + header + "}", data));
  const Outcome r = run("inspect " + folder.path().string());
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_NE(r.out.find("not understood: 2 tensors model.layers.N.extra.weight\n"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("not understood: 1 tensor model.N\n"), std::string::npos) << r.out;
}

TEST_F(Program, EstimateGivesThePublishedSizesOfQwen3From4BConfigAlone) {
  const Outcome r = run("estimate " + std::string(NIBBLE_SOURCE_DIR) + "/bench/configs/qwen3_4b.json --json");
  ASSERT_EQ(r.status, 0) << r.err;
  const Json report = r.json();  // named: a loop over a part of a temporary outlives it
  const auto weights = [&](const char* precision, bool double_quant) {
    for (const Json& p : report["precisions"])
      if (p["precision"] == precision && p["double_quant"] == double_quant)
        return std::round(p["bytes"]["weights_total"].get<double>() / 1e6) / 1e3;
    return 0.0;
  };
  EXPECT_EQ(weights("bf16", false), 8.045);
  EXPECT_EQ(weights("nf4", false), 2.822);
  EXPECT_EQ(weights("nf4", true), 2.653);
}

TEST_F(Program, AQuantizedFolderGivesWhatQuantizingOnTheFlyGives) {
  const std::string out = (folder / "out").string(), text = (folder / "text").string();
  write("text", "The old house stood at the end of the lane, and nobody had lived in it for many years.");
  ASSERT_EQ(run("quantize " + shipped + " " + out + " --to nf4 --double-quant --quiet").status, 0);
  const Outcome stored = run("eval " + out + " --text " + text + " --json --quiet --per-token"),
                fresh = run("eval " + shipped + " --precision nf4 --double-quant --text " + text +
                            " --json --quiet --per-token");
  ASSERT_EQ(stored.status, 0) << stored.err;
  ASSERT_EQ(fresh.status, 0) << fresh.err;
  EXPECT_EQ(stored.json()["tokens"], fresh.json()["tokens"]);
  const Outcome a = run("run " + out + " 'It was a dark and stormy night' --seed 1 -n 12 --quiet"),
                b = run("run " + shipped +
                        " 'It was a dark and stormy night' --precision nf4 --double-quant --seed 1 -n 12 --quiet");
  EXPECT_EQ(a.status, 0) << a.err;
  EXPECT_EQ(a.out, b.out);
  EXPECT_EQ(run("quantize " + shipped + " " + out + " --to nf4").status, 2) << "an existing folder is not overwritten";
}

TEST_F(Program, ThreadsDoNotChangeABit) {
  const std::string arguments = "eval " + shipped + " --text " + std::string(NIBBLE_SOURCE_DIR) +
                                "/data/held_out.txt --max-tokens 200 --per-token --json --quiet --precision ";
  for (const char* precision : {"fp32", "bf16", "int8", "nf4"}) {
    const Outcome one = run(arguments + precision + " --threads 1"),
                  three = run(arguments + precision + " --threads 3");
    ASSERT_EQ(one.status, 0) << one.err;
    EXPECT_EQ(one.json().at("tokens"), three.json().at("tokens")) << precision;
  }
}

TEST_F(Program, SeveralPromptsGiveInFp32WhatEachGivesAlone) {
  const std::string tail = " --precision fp32 -n 12 --json --quiet";
  const Outcome both = run("run " + shipped + " 'The sea was calm' 'Once upon a time there lived' " + tail),
                first = run("run " + shipped + " 'The sea was calm'" + tail),
                second = run("run " + shipped + " 'Once upon a time there lived'" + tail);
  ASSERT_EQ(both.status, 0) << both.err;
  EXPECT_EQ(both.json()["results"][0]["ids"], first.json()["results"][0]["ids"]);
  EXPECT_EQ(both.json()["results"][1]["ids"], second.json()["results"][0]["ids"]);
}

TEST_F(Program, TokenizeGoesBothWays) {
  const Outcome ids = run("tokenize " + shipped + " 'It was a dark and stormy night' --json");
  ASSERT_EQ(ids.status, 0) << ids.err;
  std::string list;
  const Json encoded = ids.json();
  for (const auto& id : encoded["ids"]) list += std::to_string(id.get<int>()) + " ";
  const Json decoded = run("tokenize " + shipped + " '" + list + "' --decode --json").json();
  EXPECT_EQ(decoded["text"], "It was a dark and stormy night");
}

TEST_F(Program, WrongRequestsExitWithTwoAndSayWhat) {
  const auto refused = [&](const std::string& arguments, const std::string& word) {
    const Outcome r = run(arguments);
    EXPECT_EQ(r.status, 2) << arguments << "\n" << r.err;
    EXPECT_NE(r.err.find(word), std::string::npos) << arguments << "\n" << r.err;
  };
  refused("run " + folder.string() + " x", "config.json");
  refused("run /no/such/place x", "no such");
  refused("run " + shipped + " x --precision int3", "int3");
  refused("run " + shipped + " x --precision nf4 --block-size 48", "48");
  refused("run " + shipped + " x --precision nf4 --skip '('", "skip pattern");
  refused("run " + shipped + " x --context 999999", "999999");
  refused("run " + shipped + " x --device cuda", "cuda");
  refused("eval " + shipped, "--text");
  refused("quantize " + shipped + " " + (folder / "no/such/parent").string() + " --to bf16 --double-quant",
          "--double-quant is for nf4 and fp4");
}

TEST_F(Program, DamagedModelsExitWithAPlaceAndLeaveNothing) {
  const fs::path model = copied_model();
  fs::resize_file(model / "model-00002-of-00003.safetensors", 5000);
  const Outcome cut = run("run " + model.string() + " x");
  EXPECT_EQ(cut.status, 1);
  EXPECT_NE(cut.err.find("model-00002-of-00003.safetensors"), std::string::npos) << cut.err;
  const Outcome quantized = run("quantize " + model.string() + " " + (folder / "out").string() + " --to nf4 --quiet");
  EXPECT_NE(quantized.status, 0);
  EXPECT_FALSE(fs::exists(folder / "out"));
  fs::remove(model / "model-00002-of-00003.safetensors");
  const Outcome missing = run("run " + model.string() + " x");
  EXPECT_EQ(missing.status, 2);
  EXPECT_NE(missing.err.find("missing"), std::string::npos) << missing.err;
}

TEST_F(Program, AnUnknownConfigValueIsRefusedByName) {
  const fs::path model = copied_model();
  Json config = Json::parse(read(model / "config.json"));
  config["attention_sinks"] = 4;
  std::ofstream(model / "config.json") << config;
  const Outcome refused = run("run " + model.string() + " x");
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("attention_sinks"), std::string::npos) << refused.err;
  EXPECT_EQ(run("run " + model.string() + " x -n 1 --ignore-config attention_sinks --quiet").status, 0);
}

TEST_F(Program, CompareMeasuresEachPrecisionInItsOwnProcess) {
  const std::string html = (folder / "report.html").string();
  const Outcome r = run("compare " + shipped +
                        " --precisions fp32,nf4 --max-eval-tokens 200 --prompt-tokens 32 --decode-tokens 4 "
                        "--new-tokens 8 --repeats 1 --json --quiet --html " +
                        html);
  ASSERT_EQ(r.status, 0) << r.err;
  const Json results = r.json()["results"];
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0]["mean_kl"], 0.0);
  EXPECT_GT(results[1]["mean_kl"].get<double>(), 0.01);
  EXPECT_LT(results[1]["peak_anonymous_bytes"].get<std::int64_t>(),
            results[0]["peak_anonymous_bytes"].get<std::int64_t>());
  const std::string page = read(html);
  EXPECT_NE(page.find("<svg"), std::string::npos);
  for (const char* part : {"linear", "kept", "scales", "cache", "work", "program", "own"}) {  // stacked bars
    const std::string bar = " height=\"15.0\" class=\"part " + std::string(part) + "\"/>";
    EXPECT_NE(page.find(bar), std::string::npos) << part;
  }
  for (const char* outside : {"<script", "http:", "https:", "<link", "@import", "src="})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
}

TEST_F(Program, CompareEvaluatesByTheRecipeThatEvalHas) {
  const std::string recipe =
      " --context 64 --stride 32 --bos on --text " + source + "/data/held_out.txt --json --quiet";
  const Outcome evaluated = run("eval " + shipped + " --precision nf4 --max-tokens 200" + recipe);
  const Outcome compared = run(
      "compare " + shipped +
      " --precisions nf4,bf16 --max-eval-tokens 200 --prompt-tokens 8 --decode-tokens 2 --new-tokens 2 --repeats 1" +
      recipe);
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  ASSERT_EQ(compared.status, 0) << compared.err;
  const Json e = evaluated.json(), c = compared.json();
  EXPECT_EQ(c["context"], 64);
  EXPECT_EQ(c["stride"], 32);
  EXPECT_EQ(c["bos"], true);
  for (const char* name : {"recipe", "context", "stride", "bos", "predicted_tokens"})
    EXPECT_EQ(c[name], e[name]) << name;
  for (const char* name : {"perplexity", "perplexity_se", "mean_nll", "mean_nll_se", "bits_per_byte"})
    EXPECT_EQ(c["results"][0][name], e[name]) << name;
  EXPECT_EQ(c["provenance"]["text_sha256"], e["provenance"]["text_sha256"]);
  const Outcome refused = run("compare " + shipped + " --bos maybe");
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("auto, on or off"), std::string::npos) << refused.err;
}

TEST_F(Program, ChatAnswersOneLinePerTurnAndKeepsWhatItRead) {
  const fs::path model = copied_model();
  const std::string jinja =
      "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if 'x' in messages[-1].content %}"
      "{{ raise_exception('no x, please') }}{% endif %}assistant:";
  std::ofstream(model / "chat_template.jinja") << jinja;
  const Outcome r = run("chat " + model.string() + " -n 6 --json --quiet", "printf 'Hello\\n\\nAgain\\n/quit\\n' |");
  ASSERT_EQ(r.status, 0) << r.err;
  std::istringstream lines(r.out);
  std::string first, second, none;
  ASSERT_TRUE(std::getline(lines, first) && std::getline(lines, second)) << r.out;
  EXPECT_FALSE(std::getline(lines, none)) << none;
  EXPECT_EQ(Json::parse(first)["reused_tokens"], 0);
  EXPECT_GE(Json::parse(second)["reused_tokens"], Json::parse(first)["prompt_tokens"].get<int>() - 1);
  EXPECT_EQ(Json::parse(second)["new_tokens"], 6);

  const Outcome refused = run("chat " + model.string() + " -n 6 --quiet", "printf 'x\\nHello\\n' |");
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("no x, please"), std::string::npos) << refused.err;

  const std::string messages = write("messages.json", R"([{"role": "user", "content": "Hello"}])");
  const std::string compare = "compare " + model.string() +
                              " --precisions bf16,nf4 --max-eval-tokens 60 "
                              "--prompt-tokens 8 --decode-tokens 2 --new-tokens 6 --repeats 1 --json --quiet";
  const Outcome asked = run(compare + " --messages " + messages), prose = run(compare);
  ASSERT_EQ(asked.status, 0) << asked.err;
  ASSERT_EQ(prose.status, 0) << prose.err;
  EXPECT_NE(asked.json()["results"][0]["answer"], prose.json()["results"][0]["answer"]);
}

}  // namespace
