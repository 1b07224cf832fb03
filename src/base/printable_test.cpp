#include "base/printable.hpp"

#include <gtest/gtest.h>

#include "base/utf8.hpp"

namespace nibble {
namespace {

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += decode_valid(text.data() + at).bytes) ++count;
  return count;
}

TEST(Printable, LeavesTextOfAnyScriptAsItIs) {
  for (const std::string text : {"", "model.layers.0.mlp", "a\\b \"c\" 'd'", "Grüße, 你好, \xF0\x9F\x99\x82, \xC2\xA0"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("a\x1b]0;title\x07z"), "a\\x1b]0;title\\x07z");
  EXPECT_EQ(printable("a\nb\r\tc\x7f"), "a\\nb\\r\\tc\\x7f");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\x9b31m");                                    // C1's own CSI
  EXPECT_EQ(printable("\xE2\x80\xAE.gpj"), "\\u202e.gpj");  // right-to-left override
  EXPECT_EQ(printable("\xE2\x81\xA6x\xE2\x80\xA8"), "\\u2066x\\u2028");
}

TEST(Printable, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("\xFFzz\xC3"), "\\xffzz\\xc3");
  EXPECT_EQ(printable("\xE2\x82"), "\\xe2\\x82");
  EXPECT_EQ(printable("\xC0\x9B"), "\\xc0\\x9b");  // ESC written overlong
}

TEST(Printable, ElidesTheMiddleOfLongText) {
  const std::string long_text = "begin" + std::string(50'000'000, '-') + "end";
  const std::string shown = printable(long_text);
  EXPECT_EQ(shown.size(), 200u);
  EXPECT_TRUE(shown.starts_with("begin--") && shown.ends_with("--end") && shown.find("-...-") != std::string::npos);
  EXPECT_EQ(printable(std::string(200, 'x')), std::string(200, 'x'));
  EXPECT_EQ(printable("abcdefgh", 7), "ab...gh");
}

TEST(Printable, IsAtMostSoManyCharactersAndUtf8WhateverComes) {
  std::string text;
  std::uint32_t state = 1;
  for (int i = 0; i < 5000; ++i) {
    state = state * 1664525 + 1013904223;
    text += char(state >> 24);
    if (text.size() > 400) text.erase(0, 300);
    for (const std::size_t most : {0, 3, 4, 5, 50, 200}) {
      const std::string shown = printable(text, most);
      ASSERT_TRUE(is_valid_utf8(shown));
      ASSERT_LE(characters(shown), std::max<std::size_t>(most, 3));
      ASSERT_EQ(printable_lines(shown), shown);
    }
  }
}

TEST(PrintableLines, KeepsLineEndsAndTabsAndEveryCharacter) {
  EXPECT_EQ(printable_lines("a\n\tb\x1b[31m\r"), "a\n\tb\\x1b[31m\\r");
  EXPECT_EQ(printable_lines(std::string(100000, 'x')).size(), 100000u);
}

}  // namespace
}  // namespace nibble
