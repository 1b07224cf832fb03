// Against what Hugging Face's tokenizers 0.23 gives (pre_tokenize_str, normalize_str).
#include "text/tokenizer/pre_tokenizer.hpp"

#include <gtest/gtest.h>

#include "text/tokenizer/normalizer.hpp"

namespace nibble {
namespace {

using Pieces = std::vector<std::string>;

Pieces cut(const std::vector<PreTokenizer::Step>& steps, std::string_view text) {
  PreTokenizer all;
  for (const auto& step : steps) all.add(step);
  all.finish();
  PreTokenizer::Storage storage;
  all.apply(text, true, storage);
  return {storage.pieces.begin(), storage.pieces.end()};
}

TEST(PreTokenizer, PutsTheFirstMetaspaceOnlyWhereTheInputBegins) {
  const MetaspaceSplit first{MetaspaceSplit::first};
  const SplitByClass spaces{SplitByClass::white_space, SplitBehavior::removed};
  EXPECT_EQ(cut({spaces, first}, "  ab cd"), (Pieces{"ab", "cd"}));
  EXPECT_EQ(cut({spaces, first}, "ab cd"), (Pieces{"\xE2\x96\x81"
                                                   "ab",
                                                   "cd"}));
  EXPECT_EQ(cut({SplitByClass{SplitByClass::punctuation, SplitBehavior::removed}, first}, "!ab"), (Pieces{"ab"}));
  EXPECT_EQ(cut({SplitByClass{SplitByClass::punctuation, SplitBehavior::isolated}, first}, "!ab"),
            (Pieces{"\xE2\x96\x81!", "ab"}));
  EXPECT_EQ(cut({SplitByClass{SplitByClass::digit, SplitBehavior::isolated}, first}, "1a 2"),
            (Pieces{"\xE2\x96\x81"
                    "1",
                    "a", "\xE2\x96\x81", "2"}));
}

TEST(Normalizer, LowersThePairsOfUnicode16And17) {
  Normalizer lower;
  lower.add(LowercaseText{});
  std::string storage;
  EXPECT_EQ(lower.apply("\xE1\xB2\x89\xEA\x9F\x9C\xEA\x9F\x8B\xF0\x90\xB5\xA5\xF0\x96\xBA\xB8 \xC3\x84", true, storage),
            "\xE1\xB2\x8A\xC6\x9B\xC9\xA4\xF0\x90\xB6\x85\xF0\x96\xBB\x93 \xC3\xA4");
}

}  // namespace
}  // namespace nibble
