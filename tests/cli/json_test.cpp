// What every verb prints with --json, against its schema in docs/json.
#include "json_schema.hpp"
#include "nibble/memory.hpp"
#include "nibble/provenance.hpp"
#include "program.hpp"

namespace {

using namespace nibble;
using namespace nibble::test;

class JsonOutput : public Program {
 protected:
  JsonSchema schema_of(const std::string& name) {
    return JsonSchema(parsed(name),
                      {{"memory.schema.json", parsed("memory")}, {"provenance.schema.json", parsed("provenance")}});
  }
  Json parsed(const std::string& name) { return Json::parse(read(source + "/docs/json/" + name + ".schema.json")); }
  // Runs it, checks the document and that nothing else is on standard output; returns the document.
  Json checked(const std::string& schema, const std::string& arguments) {
    const Outcome r = run(arguments + " --json");
    EXPECT_EQ(r.status, 0) << arguments << "\n" << r.err;
    const Json document = Json::parse(r.out, nullptr, false);
    EXPECT_FALSE(document.is_discarded()) << arguments << "\n" << r.out;
    for (const std::string& problem : schema_of(schema).problems_of(document))
      ADD_FAILURE() << arguments << ": " << problem;
    return document;
  }
};

TEST_F(JsonOutput, OfTheVerbsThatDescribeFitsItsSchema) {
  checked("doctor", "doctor");
  const Json inspected = checked("inspect", "inspect " + shipped);
  EXPECT_EQ(inspected["bytes"]["buffers"],
            checked("estimate", "estimate " + shipped)["precisions"][0]["bytes"]["buffers"]);
  checked("inspect", "inspect " + source + "/bench/configs/qwen3_4b.json");
  checked("estimate", "estimate " + shipped + " --precision nf4-dq,int8 --context 100 --batch 2");
  const Json bare = checked("estimate", "estimate 7b --precision int4");
  EXPECT_EQ(bare["precisions"][0]["bytes"]["rule_of_thumb"], 3'500'000'000);
}

std::set<std::string> names_of(const Json& object) {
  std::set<std::string> names;
  for (const auto& [name, unused] : object.items()) names.insert(name);
  return names;
}

TEST_F(JsonOutput, OfMemoryListsThePurposesAndItsSchemaTheSame) {
  std::set<std::string> all = {"mapped", "weights_total", "total"}, weights = {"other", "buffers"};
  for (const PurposeFacts& p : purposes) {
    all.emplace(p.key);
    if (is_weight(p)) weights.emplace(p.key);
  }
  const Json schema = parsed("memory");
  EXPECT_EQ(names_of(schema["properties"]), all);
  EXPECT_EQ(schema["required"].get<std::set<std::string>>(), all);
  const Json estimated = checked("estimate", "estimate " + shipped + " --precision nf4");
  EXPECT_EQ(names_of(estimated["precisions"][0]["bytes"]), all);

  EXPECT_EQ(names_of(parsed("inspect")["properties"]["bytes"]["properties"]), weights);
  EXPECT_EQ(names_of(checked("inspect", "inspect " + shipped)["bytes"]), weights);
}

TEST_F(JsonOutput, OfExplainFitsItsSchema) {
  const Json stored = checked("explain", "explain " + shipped);
  EXPECT_EQ(stored["weights"].back()["parts"], Json::array({"lm_head"}));
  checked("explain", "explain " + shipped + " --precision nf4-dq --rows 1,512");
  checked("explain", "explain " + source + "/bench/configs/qwen3_4b.json --precision int8");
  EXPECT_EQ(checked("explain", "explain 100x200 --precision nf4 --cpu-target reference")["weights"][0]["cols"], 200);
}

TEST_F(JsonOutput, OfTheVerbsThatConvertFitsItsSchema) {
  EXPECT_FALSE(checked("tokenize", "tokenize " + shipped + " 'a stormy night'")["ids"].empty());
  checked("tokenize", "tokenize " + shipped + " '1 2 3' --decode");
  const Json quantized =
      checked("quantize", "quantize " + shipped + " " + (folder / "out").string() + " --to nf4 --double-quant");
  std::uint64_t written = 0;
  for (const auto& entry : fs::directory_iterator(folder / "out"))
    if (entry.path().extension() == ".safetensors") written += fs::file_size(entry.path());
  EXPECT_EQ(quantized["bytes_written"], written);
  checked("inspect", "inspect " + (folder / "out").string());
}

TEST_F(JsonOutput, OfTheVerbsThatGenerateFitsItsSchema) {
  const Json ran = checked("run", "run " + shipped + " 'One.' 'Two, ' -n 3");
  EXPECT_EQ(ran["results"].size(), 2u);
}

TEST_F(JsonOutput, OfTheVerbsThatMeasureFitsItsSchema) {
  const std::string text = write("text", "The old house stood at the end of the lane, and nobody had lived in it.");
  const Json plain = checked("eval", "eval " + shipped + " --text " + text);
  EXPECT_FALSE(plain.contains("tokens"));
  const Json full =
      checked("eval", "eval " + shipped + " --precision nf4 --per-token --text " + text + " --reference " + shipped);
  EXPECT_EQ(full["tokens"].size(), full["predicted_tokens"].get<std::size_t>());
  EXPECT_TRUE(full.contains("divergence"));
  checked("bench-model",
          "bench model " + shipped + " --precision nf4,int8 --prompt-tokens 8 --new-tokens 2 --repeats 1");
  checked("bench-kernels", "bench kernels");
  checked("compare",
          "compare " + shipped +
              " --precisions bf16,nf4 --stored-copy --max-eval-tokens 60 --prompt-tokens 8 --decode-tokens 2 "
              "--new-tokens 3 --repeats 1");
}

TEST_F(JsonOutput, SaysWhereItComesFrom) {
  const std::string words = "The old house stood at the end of the lane.", text = write("text", words);
  const Json evaluated =
      checked("eval", "eval " + shipped + " --precision nf4 --threads 1 --text " + text)["provenance"];
  EXPECT_EQ(evaluated["text_sha256"], sha256_of(words));
  EXPECT_EQ(evaluated["model"], shipped);
  EXPECT_EQ(evaluated["precision"], "nf4");
  EXPECT_EQ(evaluated["threads"], 1);
  EXPECT_EQ(evaluated["command"], "nibble eval " + shipped + " --precision nf4 --threads 1 --text " + text + " --json");
  EXPECT_EQ(evaluated["date"].get<std::string>().size(), std::string("2026-11-30T03:10:00Z").size());
  for (const char* name : {"version", "commit", "processor"}) EXPECT_NE(evaluated[name], "") << name;
  EXPECT_EQ(evaluated["instruction_set"].get<std::string>().substr(0, 3), "cpu");

  const Json ran = checked("run", "run " + shipped + " \"it's\" -n 2 --seed 7 --temperature 0.7 --top-k 3");
  EXPECT_EQ(ran["sampling"]["seed"], 7);
  EXPECT_EQ(ran["sampling"]["temperature"], 0.7);
  EXPECT_EQ(ran["sampling"]["top_k"], 3);
  EXPECT_NE(ran["provenance"]["command"].get<std::string>().find(R"( 'it'\''s' -n 2)"), std::string::npos)
      << ran["provenance"]["command"];
}

TEST(JsonSchemaValidator, FindsEveryKindOfBreach) {
  const JsonSchema schema(Json::parse(R"({"type": "object", "required": ["n"], "additionalProperties": false,
    "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 5}, "s": {"type": "string", "enum": ["a", "b"]},
                   "l": {"type": "array", "items": {"$ref": "#/$defs/flag"}}, "m": {"type": ["number", "null"]},
                   "o": {"oneOf": [{"type": "number"}, {"type": "integer"}]},
                   "d": {"type": "object", "additionalProperties": {"type": "integer"}}},
    "$defs": {"flag": {"type": "boolean"}}})"));
  EXPECT_TRUE(schema.problems_of(Json::parse(R"({"n": 3, "s": "a", "l": [true], "m": null, "o": 1.5, "d": {"x": 1}})"))
                  .empty());
  for (const char* bad :
       {"[]", "{}", R"({"n": 3.0})", R"({"n": "3"})", R"({"n": -1})", R"({"n": 6})", R"({"n": 1, "x": 1})",
        R"({"n": 1, "s": "c"})", R"({"n": 1, "l": [1]})", R"({"n": 1, "l": {}})", R"({"n": 1, "m": "1"})",
        R"({"n": 1, "o": 1})", R"({"n": 1, "o": "x"})", R"({"n": 1, "d": {"x": 1.5}})"})
    EXPECT_EQ(schema.problems_of(Json::parse(bad)).empty(), false) << bad;
  EXPECT_FALSE(JsonSchema(Json::parse(R"({"pattern": "x"})")).problems_of(Json("x")).empty()) << "an unknown keyword";
}

}  // namespace
