// What is streamed is UTF-8 and adds up to what is decoded at once, for every chain of steps that a file can ask for.
#include "text/tokenizer/decoder_stream.hpp"

#include <gtest/gtest.h>

#include <random>

#include "base/utf8.hpp"

namespace nibble {
namespace {

using Tokens = std::vector<std::string>;

struct Streamed {
  std::string text;
  std::size_t pieces_with_text = 0;  // before the end
};

Streamed streamed(const TokenDecoder& decoder, const Tokens& tokens) {
  DecoderStream stream(decoder);
  Streamed out;
  for (const std::string& token : tokens) {
    const std::string piece = stream.push(token);
    EXPECT_TRUE(is_valid_utf8(piece)) << piece;
    out.pieces_with_text += !piece.empty();
    out.text += piece;
  }
  const std::string rest = stream.end();
  EXPECT_TRUE(is_valid_utf8(rest)) << rest;
  out.text += rest;
  return out;
}

TokenDecoder chain(std::vector<TokenDecoder::Step> steps) {
  TokenDecoder decoder;
  for (TokenDecoder::Step& step : steps) decoder.add(std::move(step));
  return decoder;
}

// ByteLevel behind Fuse reads the text so far as one token: as soon as a character outside of GPT-2's alphabet comes,
// all that stood before is read otherwise.
TEST(DecoderStream, HoldsBackATextThatLaterTokensChange) {
  const TokenDecoder decoder = chain({DecodeFuse{}, DecodeByteLevel{}});
  const Tokens tokens = {"\xC4\x8F", "a", "\xE2\x85\xAB"};
  const Streamed all = streamed(decoder, tokens);
  EXPECT_EQ(all.text, decoder.decode(tokens));
  EXPECT_EQ(all.pieces_with_text, 0u);
}

TEST(DecoderStream, HandsOutTheDecodersOfPublishedModelsTokenByToken) {
  const std::string space = std::string(metaspace);
  const Tokens llama = {space + "a", "<0xE2>", "<0x82>", "<0xAC>", space + "b", "c"};
  const TokenDecoder decoder = chain(
      {DecodeReplace{SplitPattern::literal(space), " "}, DecodeByteFallback{}, DecodeFuse{}, DecodeStrip{" ", 1, 0}});
  const Streamed all = streamed(decoder, llama);
  EXPECT_EQ(all.text, "a\xE2\x82\xAC bc");
  EXPECT_EQ(all.pieces_with_text, 4u);
  EXPECT_EQ(streamed(chain({DecodeByteLevel{}}), {"\xC4\xA0"
                                                  "a",
                                                  "\xC3\xA2", "\xC4\xA4", "\xC2\xAC"})
                .pieces_with_text,
            2u);
  EXPECT_EQ(streamed(chain({DecodeMetaspace{}}), {space + "a", space + "b"}).pieces_with_text, 2u);
}

TEST(DecoderStream, AddsUpForEveryChainOfSteps) {
  const std::string space = std::string(metaspace);
  const Result<SplitPattern> pair = SplitPattern::regex("a+b");
  ASSERT_TRUE(pair);
  const std::vector<TokenDecoder::Step> steps = {
      DecodeByteLevel{},
      DecodeByteFallback{true},
      DecodeFuse{},
      DecodeDropPrefix{false},
      DecodeDropPrefix{true},
      DecodeMetaspace{space, true},
      DecodeMetaspace{"a", false},
      DecodeReplace{SplitPattern::literal(space), " "},
      DecodeReplace{SplitPattern::literal("ab"), "<0x41>"},
      DecodeReplace{*pair, ""},
      DecodeStrip{" ", 2, 0},
      DecodeStrip{"a", 1, 1},
      DecodeStrip{"ab", 1, 0},
  };
  const Tokens words = {"a",
                        "b",
                        "ab",
                        " ",
                        "",
                        space,
                        space + "a",
                        "<0x41>",
                        "<0xE2>",
                        "<0x82>",
                        "<0xAC>",
                        "<0x20>",
                        "\xC4\xA0"
                        "b",
                        "\xC3\xA2",
                        "\xC4\xA4",
                        "\xC2\xAC",
                        "\xE2\x85\xAB",
                        "aab",
                        "a" + space + " "};
  std::mt19937 random(7);
  const auto below = [&](std::size_t end) { return std::size_t(random() % end); };
  for (std::size_t which = 0; which < steps.size() * steps.size() * steps.size(); ++which) {
    const std::size_t n = steps.size();
    const TokenDecoder decoder = chain({steps[which % n], steps[which / n % n], steps[which / n / n]});
    for (int text = 0; text < 12; ++text) {
      Tokens tokens;
      for (std::size_t i = below(12) + 1; i > 0; --i) tokens.push_back(words[below(words.size())]);
      ASSERT_EQ(streamed(decoder, tokens).text, decoder.decode(tokens))
          << which << ": " << testing::PrintToString(tokens);
    }
  }
}

TEST(DecoderStream, BeginsANewTextAfterTheEnd) {
  const TokenDecoder decoder = chain({DecodeByteFallback{}, DecodeFuse{}, DecodeStrip{" ", 1, 0}});
  DecoderStream stream(decoder);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(stream.push(" a"), "a");
    EXPECT_EQ(stream.push("<0xE2>"), "");
    EXPECT_EQ(stream.end(), replacement_character);
  }
}

}  // namespace
}  // namespace nibble
