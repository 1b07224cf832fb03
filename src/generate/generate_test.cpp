// Generation with the shipped model in fp32: batches, seeds, stop strings, the caller's say.
#include "nibble/generate.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "../../tests/made/made_files.hpp"
#include "engine/load.hpp"

namespace nibble {
namespace {

const std::vector<std::string> prompts = {"It was a dark and stormy night", "The captain",
                                          "She said that the old house", "In the beginning", "\"Good morning,\""};

const Model& model() {
  static const Model loaded = [] {
    LoadOptions options;
    options.precision = Precision::fp32;
    options.threads = 1;
    return Model(load_model(std::string(NIBBLE_SOURCE_DIR) + "/models/gutenberg-16m", options).value());
  }();
  return loaded;
}

GenerateOptions sampled(std::uint64_t seed, std::int64_t tokens = 12) {
  GenerateOptions options;
  options.max_new_tokens = tokens;
  options.sampling = {.temperature = 0.9f, .top_k = 50, .top_p = 0.95f, .repetition_penalty = 1.1f, .seed = seed};
  return options;
}

std::vector<Generation> texts(const std::vector<std::string>& of, const GenerateOptions& options) {
  auto generated = generate(model(), of, options);
  EXPECT_TRUE(generated) << generated.error().message;
  return std::move(generated).value();
}

TEST(Generate, ASequenceHasTheSameTextAloneAndInABatch) {
  GenerateOptions greedy;
  greedy.max_new_tokens = 12;
  for (const GenerateOptions& options : {greedy, sampled(1)}) {
    const auto together = texts(prompts, options);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      const Generation alone = texts({prompts[i]}, options)[0];
      EXPECT_EQ(together[i].text, alone.text);
      EXPECT_EQ(together[i].ids, alone.ids);
      EXPECT_EQ(together[i].stopped, alone.stopped);
      EXPECT_EQ(together[i].prompt_tokens, alone.prompt_tokens);
    }
  }
}

TEST(Generate, AContextThatFillsUpEndsItsOwnSequenceAlone) {
  GenerateOptions options;
  options.max_new_tokens = 10;
  options.context = 12;
  options.ignore_eos = true;
  const std::vector<std::vector<std::int32_t>> ids = {{310, 422}, {17, 1800, 95, 77, 600, 11, 2024, 5, 6}};
  const auto both = generate_ids(model(), ids, options).value();
  EXPECT_EQ(both[0].ids.size(), 10u);
  EXPECT_EQ(both[1].ids.size(), 3u);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(both[i].ids, generate_ids(model(), {ids[i]}, options).value().front().ids);
    EXPECT_EQ(both[i].stopped, StopReason::length);
  }
}

TEST(Generate, APromptThatNearlyFillsTheModelCutsItsOwnAnswerAlone) {
  const std::int64_t limit = model().max_positions();
  std::vector<std::int32_t> nearly_all;
  for (std::int64_t i = 0; i < limit - 3; ++i) nearly_all.push_back(std::int32_t(5 + i * 37 % 2000));
  GenerateOptions options = sampled(4, 9);
  options.ignore_eos = true;
  const auto both = generate_ids(model(), {nearly_all, {310, 422}}, options).value();
  EXPECT_EQ(both[0].ids.size(), 3u);
  EXPECT_EQ(both[1].ids.size(), 9u);
  EXPECT_EQ(both[1].ids, generate_ids(model(), {{310, 422}}, options).value().front().ids);
}

TEST(Generate, TheSeedDecidesASampleAndAPromptGivenAgainGetsAnother) {
  const std::string& prompt = prompts[0];
  const auto twice = texts({prompt, prompt}, sampled(1));
  EXPECT_NE(twice[0].ids, twice[1].ids);
  EXPECT_EQ(twice[0].ids, texts({prompt}, sampled(1))[0].ids);
  EXPECT_NE(twice[0].ids, texts({prompt}, sampled(2))[0].ids);
  GenerateOptions greedy;
  greedy.max_new_tokens = 8;
  const auto equal = texts({prompt, prompt}, greedy);
  EXPECT_EQ(equal[0].ids, equal[1].ids);
}

TEST(Generate, WhatGenerationConfigLeavesOutIsWhatTransformersTakes) {
  const made::Folder folder("generation-config");
  made::write_llama(folder.path());
  const auto sampling_of = [&](const char* text) {
    made::write(folder / "generation_config.json", text);
    return default_sampling(Model::load(folder.path()).value());
  };
  const Sampling bare = sampling_of(R"({"do_sample": true, "top_k": null})");
  EXPECT_EQ(bare.temperature, 1);
  EXPECT_EQ(bare.top_k, 50);
  EXPECT_EQ(bare.top_p, 1);
  EXPECT_EQ(bare.min_p, 0);
  EXPECT_EQ(bare.repetition_penalty, 1);
  EXPECT_EQ(sampling_of(R"({"do_sample": true, "top_k": 0})").top_k, 0);
  EXPECT_EQ(sampling_of(R"({"do_sample": true, "top_k": 7, "temperature": 0.6})").top_k, 7);
  EXPECT_EQ(sampling_of(R"({"temperature": 0.6})").temperature, 0) << "it does not sample unless it says so";
  EXPECT_EQ(sampling_of(R"({"do_sample": false})").temperature, 0);
}

TEST(Generate, AGenerationConfigThatMakesNoSenseIsRefusedByItsKey) {
  const made::Folder folder("generation-config-wrong");
  made::write_llama(folder.path());
  for (const auto& [text, word] : {std::pair{R"({"eos_token_id": "x"})", "eos_token_id"},
                                   {R"({"eos_token_id": [1, -2]})", "eos_token_id"},
                                   {R"({"do_sample": "yes"})", "do_sample"},
                                   {R"({"top_p": "0.9"})", "top_p"},
                                   {R"({"temperature": 1e300})", "temperature"},
                                   {R"({"top_k": 1e300})", "top_k"},
                                   {R"({"top_k": 1099511627776})", "top_k"},
                                   {R"({"top_k": -1})", "top_k"},
                                   {R"([1])", "JSON object"}}) {
    made::write(folder / "generation_config.json", text);
    const auto refused = Model::load(folder.path());
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, Errc::corrupt_file);
    for (const char* part : {"generation_config.json", word})
      EXPECT_NE(refused.error().message.find(part), std::string::npos) << refused.error().message;
  }
}

TEST(Generate, StopStringsEndASequenceBeforeThemAndOnlyThatOne) {
  const auto whole = texts(prompts, sampled(3, 20));
  // A stop string that the first text has in its middle and the second has not.
  const std::size_t middle = whole[0].text.size() / 2;
  std::string stop;
  for (std::size_t length = 1; stop.empty() && middle + length <= whole[0].text.size(); ++length)
    if (whole[1].text.find(whole[0].text.substr(middle, length)) == std::string::npos)
      stop = whole[0].text.substr(middle, length);
  ASSERT_FALSE(stop.empty()) << "the second text holds half of the first";
  GenerateOptions options = sampled(3, 20);
  options.stop_strings = {stop, "no text says this"};
  std::vector<std::string> streamed(prompts.size());
  options.on_text = [&](std::size_t prompt, std::string_view text) {
    streamed[prompt] += text;
    return true;
  };
  const auto cut = texts(prompts, options);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::size_t at = whole[i].text.find(stop);
    EXPECT_EQ(cut[i].text, whole[i].text.substr(0, at));
    EXPECT_EQ(streamed[i], cut[i].text);
    EXPECT_EQ(cut[i].stopped, at == std::string::npos ? whole[i].stopped : StopReason::stop_string);
  }
  EXPECT_LT(cut[0].ids.size(), whole[0].ids.size());
  EXPECT_EQ(cut[1].ids, whole[1].ids);
}

TEST(Generate, TheCallerStopsItAndKeepsWhatWasWritten) {
  GenerateOptions options;
  options.max_new_tokens = 20;
  const std::string whole = texts({prompts[0]}, options)[0].text;
  int calls = 0;
  options.on_text = [&](std::size_t, std::string_view) { return ++calls < 3; };
  const Generation cut = texts({prompts[0]}, options)[0];
  EXPECT_EQ(cut.stopped, StopReason::cancelled);
  EXPECT_EQ(calls, 3);
  EXPECT_TRUE(whole.starts_with(cut.text));
  EXPECT_LT(cut.text.size(), whole.size());

  options.on_text = {};
  int passes = 0;
  options.stop = [&] { return ++passes > 4; };
  const Generation stopped = texts({prompts[0]}, options)[0];
  EXPECT_EQ(stopped.stopped, StopReason::cancelled);
  EXPECT_TRUE(whole.starts_with(stopped.text));
}

TEST(Generate, NothingToContinueAndNoRoomAreRefused) {
  const auto refused = [&](const std::vector<std::vector<std::int32_t>>& ids, const GenerateOptions& options) {
    const auto result = generate_ids(model(), ids, options);
    EXPECT_FALSE(result);
    return result ? std::string() : result.error().message;
  };
  EXPECT_NE(refused({{1, 2}, {}}, {}).find("empty"), std::string::npos);
  GenerateOptions options;
  options.max_new_tokens = 0;
  EXPECT_NE(refused({{1}}, options).find("at least 1"), std::string::npos);
  options = {};
  options.context = 4;
  EXPECT_NE(refused({{1, 2, 3, 4}}, options).find("no room"), std::string::npos);
  options = {};
  options.sampling.top_p = 0;
  EXPECT_NE(refused({{1}}, options).find("top-p"), std::string::npos);
  EXPECT_NE(refused({{1, 1000000}}, {}).find("1000000"), std::string::npos);
}

}  // namespace
}  // namespace nibble
