#include "nibble/text_layout.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace nibble {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

TEST(TextLayout, FoldsAtSpacesAndNeverBeyondTheWidth) {
  EXPECT_EQ(folded("one two three four", 9), "one two\nthree\nfour\n");
  EXPECT_EQ(folded("- one two three", 9, 2), "- one two\n  three\n");
  EXPECT_EQ(folded("  one two three", 9, 2), "  one two\n    three\n");
  EXPECT_EQ(folded("one\n\ntwo\n", 9), "one\n\ntwo\n");
  EXPECT_EQ(folded("", 9), "");
  EXPECT_EQ(folded("a-word-that-is-longer b", 9), "a-word-that-is-longer\nb\n");
}

TEST(TextLayout, KeepsANumberWithItsUnitAndACommandWhole) {
  EXPECT_EQ(folded("keeps it within 1 % of that", 17), "keeps it within\n1 % of that\n");
  EXPECT_EQ(folded("it takes 24.5 GB; no more", 13), "it takes\n24.5 GB; no\nmore\n");
  EXPECT_EQ(folded("see `nibble run --help` for more", 14), "see\n`nibble run --help`\nfor more\n");
  EXPECT_EQ(folded("a b\xC2\xA0"
                   "c",
                   3),
            "a\nb c\n");
}

TEST(TextLayout, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("na\xC3\xAFve"), 5u);
  EXPECT_EQ(display_width("\xE6\xBC\xA2\xE5\xAD\x97"), 4u) << "wide characters";
  EXPECT_EQ(display_width("e\xCC\x81"), 1u) << "a combining mark";
  EXPECT_EQ(folded("\xC3\xA9\xC3\xA9 \xC3\xA9\xC3\xA9", 5), "\xC3\xA9\xC3\xA9 \xC3\xA9\xC3\xA9\n");
  EXPECT_EQ(first_columns("\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2", 5), "\xE6\xBC\xA2...");
  EXPECT_EQ(first_columns("a\nb", 5), "a b");
  EXPECT_EQ(first_columns("abcdef", 5), "ab...");
}

TEST(TextLayout, ShowsControlCharactersAsEscapes) {
  EXPECT_EQ(folded("a\x1b[31mb", 80), "a\\x1b[31mb\n");
  EXPECT_EQ(first_columns("a\x1b[31mb\xC2\x9B", 80), "a\\x1b[31mb\\x9b");
  TextTable table("na\x07me", {{"he\x1b"
                                "ad",
                                "gr\x1b"
                                "oup"}});
  table.add("n\x07", {"c\x1b[2J"}, true);
  table.add_sentence("m\x07", "s\x1b");
  const std::string shown = table.text({.width = 80});
  EXPECT_EQ(shown.find_first_of("\x1b\x07"), std::string::npos) << shown;
}

TextTable prices() {
  TextTable table("fruit", {{"each", "price"}, {"dozen", "price"}, {"weight, g"}});
  table.add("apple", {"0.50", "5.00", "180"});
  table.add("pear", {"0.75", "8.00", "200"}, true);
  table.add_sentence("fig", "out of season");
  return table;
}

TEST(TextTable, StandsOnOneLineWhereItFits) {
  EXPECT_EQ(prices().text({.width = 80}),
            "             price\n"
            "fruit  each  dozen  weight, g\n"
            "apple  0.50   5.00        180\n"
            "pear   0.75   8.00        200\n"
            "fig    out of season\n");
}

TEST(TextTable, ContinuesBelowWithTheNamesAndKeepsGroupsTogether) {
  EXPECT_EQ(prices().text({.width = 20}),
            "             price\n"
            "fruit  each  dozen\n"
            "apple  0.50   5.00\n"
            "pear   0.75   8.00\n"
            "fig    out of season\n"
            "\n"
            "fruit  weight, g\n"
            "apple        180\n"
            "pear         200\n"
            "fig    see above\n");
  for (std::size_t width = 24; width < 40; ++width)
    for (const std::string& line : lines_of(prices().text({.width = width})))
      EXPECT_LE(display_width(line), width) << line;
}

TEST(TextTable, PutsLongNamesOnLinesOfTheirOwn) {
  TextTable table("", {{"values"}});
  table.add("model.layers.0.mlp.down_proj", {"12"});
  table.add("norm", {"3"});
  EXPECT_EQ(table.text({.width = 20}),
            "            values\n"
            "model.layers.0.mlp.down_proj\n"
            "                12\n"
            "norm             3\n");
}

TEST(TextTable, HasTheStrongRowInBoldWhereTheStyleDoes) {
  EXPECT_NE(prices().text({.width = 80, .bold = true}).find("\033[1mpear   0.75   8.00        200\033[0m\n"),
            std::string::npos);
  EXPECT_EQ(prices().text({.width = 80}).find('\033'), std::string::npos);
}

}  // namespace
}  // namespace nibble
