// Tokenizers of every source, against the ids and texts that `tokenizers` and `sentencepiece` gave.
#include <gtest/gtest.h>

#include "base/utf8.hpp"
#include "text/tokenizer/model_tokenizer.hpp"
#include "tokenizer_golden.hpp"

namespace nibble {
namespace {

class Tokenizers : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string name = GetParam();
    expected = golden_json(name + ".expected.json");
    const bool ships = name == "gutenberg-16m";
    auto opened =
        Tokenizer::open(ships ? std::filesystem::path(NIBBLE_SOURCE_DIR) / "models" / name : tokenizers_folder / name);
    ASSERT_TRUE(opened) << opened.error().message;
    tokenizer = std::move(*opened);
    ASSERT_EQ(expected["ids"].size(), texts.size());
  }
  std::vector<std::int32_t> ids(std::size_t text) const { return ids_of(expected["ids"][text]); }

  std::unique_ptr<Tokenizer> tokenizer;
  Json expected;
  const std::vector<std::string> texts = golden_texts();
};

TEST_P(Tokenizers, GiveTheIdsOfTheReference) {
  for (std::size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(tokenizer->encode(texts[i], {false, true}), ids(i)) << texts[i];
}

TEST_P(Tokenizers, PutAroundATextWhatTheReferencePuts) {
  const auto prefix = ids_of(expected["prefix"]), suffix = ids_of(expected["suffix"]);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::vector<std::int32_t> whole = prefix;
    for (const std::int32_t id : ids(i)) whole.push_back(id);
    whole.insert(whole.end(), suffix.begin(), suffix.end());
    EXPECT_EQ(tokenizer->encode(texts[i]), whole) << texts[i];
  }
}

TEST_P(Tokenizers, TakeSpecialTokensForPlainTextWhenAsked) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto plain = expected["plain"].find(std::to_string(i));
    EXPECT_EQ(tokenizer->encode(texts[i], {false, false}), plain == expected["plain"].end() ? ids(i) : ids_of(*plain))
        << texts[i];
  }
}

// What the file does not say is usual: the text itself, and the same in all four ways.
struct Decoded {
  std::vector<std::int32_t> ids;
  std::string whole, skipped, stream, stream_skipped;
};

Decoded decoded_of(const Json& row, std::vector<std::int32_t> ids, const std::string& text) {
  const auto named = [&](const char* name, const std::string& usual) { return row.value(name, usual); };
  Decoded out;
  out.ids = row.contains("ids") ? ids_of(row["ids"]) : std::move(ids);
  out.whole = named("whole", repair_utf8(text));
  out.skipped = named("skipped", out.whole);
  out.stream = named("stream", out.whole);
  out.stream_skipped = named("stream_skipped", out.skipped);
  return out;
}

TEST_P(Tokenizers, DecodeToTheTextOfTheReference) {
  const Json& rows = expected["decoded"];
  ASSERT_GT(rows.size(), texts.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool encoded = i < texts.size();
    const Decoded row = decoded_of(rows[i], encoded ? ids(i) : std::vector<std::int32_t>(), encoded ? texts[i] : "");
    EXPECT_EQ(tokenizer->decode(row.ids), row.whole) << Json(row.ids);
    EXPECT_EQ(tokenizer->decode(row.ids, true), row.skipped) << Json(row.ids);
  }
}

TEST_P(Tokenizers, StreamWholeCharactersThatAddUpToTheText) {
  const Json& rows = expected["decoded"];
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool encoded = i < texts.size();
    const Decoded row = decoded_of(rows[i], encoded ? ids(i) : std::vector<std::int32_t>(), encoded ? texts[i] : "");
    for (const bool skip : {false, true}) {
      StreamDecoder stream(*tokenizer, skip);
      std::string all;
      for (const std::int32_t id : row.ids) {
        const std::string piece = stream.push(id);
        EXPECT_TRUE(is_valid_utf8(piece)) << Json(row.ids);
        all += piece;
      }
      all += stream.flush();
      EXPECT_EQ(all, skip ? row.stream_skipped : row.stream) << Json(row.ids);
    }
  }
}

TEST_P(Tokenizers, GiveTheSameIdsOnAWarmCacheAndInOtherCompany) {
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < texts.size(); i += 7) EXPECT_EQ(tokenizer->encode(texts[i], {false, true}), ids(i));
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Tokenizers,
                         testing::Values("gutenberg-16m", "gpt2", "smollm2", "qwen3", "qwen2-files", "pythia", "llama3",
                                         "deepseek-llm", "deepseek-coder", "deepseek-v3", "stories-json",
                                         "stories-model", "mistral-v3", "pieces-user", "pieces-collapse",
                                         "pieces-no-prefix", "pieces-no-bytes"),
                         [](const auto& info) { return instance_name(info); });

}  // namespace
}  // namespace nibble
