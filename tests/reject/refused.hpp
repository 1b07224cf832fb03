// What every refusal is asked: its kind, and words that say what is wrong, where, and what to do.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "nibble/result.hpp"

namespace nibble {

using Words = std::vector<std::string>;

template <class T>
void expect_refused(const Result<T>& result, Errc code, const Words& words) {
  ASSERT_FALSE(result.has_value()) << "was not refused";
  EXPECT_EQ(int(result.error().code), int(code)) << result.error().message;
  for (const std::string& word : words)
    EXPECT_NE(result.error().message.find(word), std::string::npos)
        << "\"" << word << "\" is missing in: " << result.error().message;
}

// Bytes that a reader must refuse.
struct WrongBytes {
  const char* what;
  std::string bytes;
  Errc code;
  Words words;
};

// parse(bytes, place) of each is refused, and names the place.
template <class Cases, class Parse>
void expect_all_refused(const Cases& cases, const std::string& place, Parse parse) {
  for (const WrongBytes& c : cases) {
    SCOPED_TRACE(c.what);
    Words words = c.words;
    words.push_back(place);
    expect_refused(parse(std::as_bytes(std::span(c.bytes)), place), c.code, words);
  }
}

// `whole` is good, and no shorter piece of it is.
template <class Parse>
void expect_every_cut_refused(const std::string& whole, Parse parse) {
  ASSERT_TRUE(parse(std::as_bytes(std::span(whole)), "x"));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::string piece = whole.substr(0, length);
    EXPECT_FALSE(parse(std::as_bytes(std::span(piece)), "x")) << length << " of " << whole.size();
  }
}

}  // namespace nibble
