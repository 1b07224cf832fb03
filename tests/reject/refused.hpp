// What every refusal is asked: its kind, and words that say what is wrong, where, and what to do.
#pragma once

#include <gtest/gtest.h>

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

}  // namespace nibble
