#include "generate/stop_strings.hpp"

#include <gtest/gtest.h>

#include <random>

#include "nibble/generate.hpp"

namespace nibble {
namespace {

// The definition, on the whole text: it ends before the stop string that is complete first, of several the longest.
std::pair<std::string, bool> cut(const std::string& text, const std::vector<std::string>& stops) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops)
      if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    if (longest) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

std::string without_thoughts(std::string text) {
  for (std::size_t at = 0; (at = text.find("<think>", at)) != std::string::npos;) {
    const std::size_t end = text.find("</think>", at + 7);
    text.erase(at, end == std::string::npos ? end : end + 8 - at);
  }
  return text;
}

std::string random_text(std::mt19937& random, const std::vector<std::string>& words, int most) {
  std::string text;
  for (int n = int(random() % unsigned(most + 1)); n > 0; --n) text += words[random() % words.size()];
  return text;
}

TEST(StopStrings, CutAtTheSamePlaceHoweverTheTextComesInPieces) {
  std::mt19937 random(5);
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> stops;
    for (int n = int(random() % 4); n > 0; --n) stops.push_back(random_text(random, {"a", "b", "ab"}, 3));
    const std::string text = random_text(random, {"a", "b", "c"}, 12);
    const auto [expected, found] = cut(text, stops);
    StopStrings filter(stops);
    std::string shown;
    for (std::size_t at = 0; at < text.size() && !filter.found();) {
      const std::size_t size = 1 + random() % 4;
      shown += filter.push(text.substr(at, size));
      ASSERT_TRUE(expected.starts_with(shown)) << text << " showed " << shown;
      at += size;
    }
    shown += filter.flush();
    ASSERT_EQ(shown, expected) << text;
    ASSERT_EQ(filter.found(), found) << text;
    EXPECT_EQ(filter.push("ccc"), found ? "" : "ccc");
  }
}

TEST(StopStrings, HoldBackNoMoreThanWhatCouldStillBecomeOne) {
  StopStrings filter({"</s>", "END"});
  EXPECT_EQ(filter.push("Hello E"), "Hello ");
  EXPECT_EQ(filter.push("N"), "");
  EXPECT_EQ(filter.push("Dx"), "");
  EXPECT_TRUE(filter.found());
  StopStrings other({"END"});
  EXPECT_EQ(other.push("EN"), "");
  EXPECT_EQ(other.push("EEN"), "ENE");  // "EN" may begin one
  EXPECT_EQ(other.flush(), "EN");
}

TEST(ThinkingFilter, RemovesThoughtsHoweverTheTextComesInPieces) {
  std::mt19937 random(6);
  for (int round = 0; round < 5000; ++round) {
    const std::string text = random_text(random, {"<think>", "</think>", "x", "<", "think>", "</", "y z"}, 10);
    ThinkingFilter filter;
    std::string shown;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + random() % 5;
      shown += filter.push(text.substr(at, size));
      at += size;
    }
    shown += filter.flush();
    ASSERT_EQ(shown, without_thoughts(text)) << text;
  }
}

}  // namespace
}  // namespace nibble
