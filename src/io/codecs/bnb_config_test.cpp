#include "io/codecs/bnb_config.hpp"

#include <gtest/gtest.h>

#include "io/codecs/bnb_golden.hpp"
#include "io/codecs/bnb_quant_state.hpp"

namespace nibble {
namespace {

TEST(BnbQuantState, DamageIsRefusedByKey) {
  const std::string good = R"({"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [2, 3]})";
  ASSERT_TRUE(parse_quant_state(good));
  const auto with = [&](std::string from, std::string to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    const auto state = parse_quant_state(text);
    return state ? "" : state.error().message;
  };
  EXPECT_TRUE(names(with("nf4", "int4"), "\"quant_type\" is \"int4\""));
  for (const char* size : {"63", "16", "8192", "-64", "64.0", "1e300", "18446744073709551615", "null"})
    EXPECT_TRUE(names(with("64", size), "\"blocksize\"")) << size;
  EXPECT_TRUE(names(with("bfloat16", "float64"), "\"dtype\""));
  for (const char* shape : {"[2]", "[2, 3, 4]", "[0, 3]", "[-1, -1]", "[4294967296, 4294967296]",
                            "[9223372036854775808, 2]", "[2.5, 2]", "null"})
    EXPECT_TRUE(names(with("[2, 3]", shape), "\"shape\"")) << shape;
  EXPECT_TRUE(names(with("\"dtype\"", "\"dtipe\""), "lacks \"dtype\""));
  EXPECT_TRUE(names(with("3]", "3], \"zero_point\": 1"), "\"zero_point\" is not a key"));
  EXPECT_TRUE(names(with("3]", "3], \"nested_offset\": 1"), "all or none"));
  EXPECT_TRUE(names(with("3]", "3], \"nested_offset\": 1e300"), "\"nested_offset\""));
  EXPECT_TRUE(names(with("3]", "3], \"nested_blocksize\": 64"), "\"nested_blocksize\""));
  EXPECT_TRUE(names(with("{", "["), "quantization state"));
  EXPECT_FALSE(parse_quant_state("17"));
  EXPECT_FALSE(parse_quant_state(std::string_view("\xff\x00", 2)));
}

TEST(BnbQuantState, NumbersArePrintedAsPythonPrintsThem) {
  const auto offset = [](double value) {
    const std::string text = print_quant_state({"nf4", 64, DType::f32, 1, 1, BnbQuantState::Nested{256, value}});
    return text.substr(text.rfind(' ') + 1);
  };
  // repr() of CPython 3.11
  EXPECT_EQ(offset(double(0.05187632888555527f)), "0.05187632888555527}");
  EXPECT_EQ(offset(double(1e-5f)), "9.999999747378752e-06}");
  EXPECT_EQ(offset(1e-4), "0.0001}");
  EXPECT_EQ(offset(0), "0.0}");
  EXPECT_EQ(offset(2), "2.0}");
  EXPECT_EQ(offset(1e15), "1000000000000000.0}");
  EXPECT_EQ(offset(1e16), "1e+16}");
  EXPECT_EQ(offset(double(1e-40f)), "9.99994610111476e-41}");
}

TEST(BnbConfig, WhatTransformersWritesIsReadAndWrittenBack) {
  for (const std::string name : golden_folders) {
    const auto config = read_json(folder / name / "config.json");
    ASSERT_TRUE(config);
    const Json& quantization = config->at("quantization_config");
    const auto parsed = parse_bnb_config(quantization);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(to_json(*parsed).dump(2), quantization.dump(2));
    EXPECT_EQ(parsed->format(), name == "llama-int8" ? "int8" : name == "llama-fp4" ? "fp4" : "nf4");
    EXPECT_EQ(parsed->double_quant, name == "llama-nf4-double");
  }
}

TEST(BnbConfig, WhatItDoesNotKnowIsRefusedByName) {
  const auto with = [](const char* text) {
    const auto parsed = parse_bnb_config(Json::parse(text));
    return parsed ? "" : parsed.error().message;
  };
  EXPECT_EQ(with(R"({"load_in_8bit": true})"), "");  // as in 2023
  EXPECT_EQ(
      with(
          R"({"load_in_4bit": true, "bnb_4bit_compute_dtype": "torch.float16", "llm_int8_skip_modules": ["lm_head"]})"),
      "");
  for (const char* method : {"gptq", "awq", "fp8", "mxfp4", "compressed-tensors", "hqq"})
    EXPECT_TRUE(names(with((std::string(R"({"quant_method": ")") + method + R"(", "bits": 4})").c_str()),
                      "\"" + std::string(method) + "\""));
  EXPECT_TRUE(names(with(R"({"bits": 4})"), "no quant_method"));
  EXPECT_TRUE(names(with(R"({"load_in_4bit": true, "bnb_4bit_blocksize": 32})"), "bnb_4bit_blocksize is not known"));
  EXPECT_TRUE(names(with(R"({"load_in_4bit": true, "load_in_8bit": true})"), "sets both"));
  EXPECT_TRUE(names(with(R"({"load_in_4bit": false})"), "sets neither"));
  EXPECT_TRUE(names(with(R"({"load_in_4bit": 1})"), "load_in_4bit is number"));
  EXPECT_TRUE(names(with(R"({"load_in_4bit": true, "bnb_4bit_quant_type": "af4"})"), "\"af4\""));
  EXPECT_TRUE(names(with(R"({"load_in_4bit": true, "bnb_4bit_compute_dtype": "float8"})"), "\"float8\""));
  EXPECT_TRUE(names(with(R"({"load_in_8bit": true, "llm_int8_threshold": -1})"), "llm_int8_threshold is -1"));
  EXPECT_TRUE(
      names(with(R"({"load_in_8bit": true, "llm_int8_skip_modules": "lm_head"})"), "llm_int8_skip_modules is string"));
  EXPECT_TRUE(names(with(R"({"load_in_8bit": true, "llm_int8_has_fp16_weight": true})"), "llm_int8_has_fp16_weight"));
  EXPECT_TRUE(names(with("[]"), "is array"));
}

// Formats that bitsandbytes lacks are written so; whichever there are, the layout is read for any table format.
TEST(BnbConfig, NibblesOwnLayoutIsReadAndWrittenBack) {
  for (const FormatFacts& format : precisions({FormatKind::table})) {
    BnbConfig own;
    own.own = true;
    own.quant_type = std::string(quant_type_of(format));
    own.double_quant = true;
    own.compute_dtype = DType::bf16;
    own.skip_modules = {"lm_head"};
    const Json json = to_json(own);
    EXPECT_EQ(json.at("quant_method"), "nibble");
    for (const char* key : {"load_in_4bit", "load_in_8bit"})
      EXPECT_FALSE(json.contains(key)) << "transformers would take it for bitsandbytes";
    const auto parsed = parse_bnb_config(json);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->format(), format.name);
    EXPECT_EQ(to_json(*parsed), json);
  }
}

TEST(BnbConfig, OfNibblesOwnLayoutWhatItDoesNotKnowIsRefusedByName) {
  const auto with = [](const char* text) {
    const auto parsed = parse_bnb_config(Json::parse(text));
    return parsed ? "" : parsed.error().message;
  };
  EXPECT_EQ(with(R"({"quant_method": "nibble", "format": "nf4"})"), "");
  EXPECT_TRUE(names(with(R"({"quant_method": "nibble"})"), "lacks \"format\""));
  for (const char* format : {"af4", "int8", "bf16", "Q4_0"})
    EXPECT_TRUE(names(with((R"({"quant_method": "nibble", "format": ")" + std::string(format) + "\"}").c_str()),
                      "format is \"" + std::string(format) + "\"; Nibble knows"));
  EXPECT_TRUE(names(with(R"({"quant_method": "nibble", "format": 4})"), "format is number"));
  EXPECT_TRUE(names(with(R"({"quant_method": "nibble", "format": "nf4", "load_in_4bit": true})"), "load_in_4bit"));
  EXPECT_TRUE(names(with(R"({"quant_method": "nibble", "format": "nf4", "skip_modules": [1]})"), "skip_modules[]"));
}

TEST(BnbQuantState, ItsTensorIsNamedAfterTheFormatAndWhoHasIt) {
  EXPECT_EQ(state_suffix(facts_of(Precision::nf4)), ".quant_state.bitsandbytes__nf4");
  EXPECT_EQ(state_suffix(facts_of(Precision::fp4)), ".quant_state.bitsandbytes__fp4");
  const FormatFacts ours{.name = "ours", .kind = FormatKind::table, .bits = 4};
  EXPECT_EQ(state_suffix(ours), ".quant_state.nibble__ours");
  EXPECT_EQ(table_format("ours"), nullptr) << "it is in no list";
  EXPECT_EQ(table_format("int8"), nullptr);
  ASSERT_NE(table_format("nf4"), nullptr);
  EXPECT_EQ(table_format("nf4")->precision, Precision::nf4);
}

}  // namespace
}  // namespace nibble
