#include "models/gguf_rows.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nibble {
namespace {

TEST(GgufRows, TheHalvesOfAHeadAlternateInTheFile) {
  const GgufRows rows{.rows = 12, .heads = 2};
  std::vector<std::int64_t> in_file;
  for (std::int64_t row = 0; row < rows.rows; ++row) in_file.push_back(rows.in_file(row));
  EXPECT_EQ(in_file, (std::vector<std::int64_t>{0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11}));
}

TEST(GgufRows, WhatIsPutInOrderIsPutOutOfOrderAgain) {
  for (const std::int64_t heads : {0, 1, 3, 8})
    for (const std::int64_t per_head : {2, 4, 64, 80}) {
      const GgufRows rows{.rows = std::max<std::int64_t>(1, heads) * per_head, .heads = heads};
      for (std::int64_t row = 0; row < rows.rows; ++row) EXPECT_EQ(rows.in_model(rows.in_file(row)), row) << heads;
    }
}

}  // namespace
}  // namespace nibble
