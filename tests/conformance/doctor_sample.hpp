// What the tests of the doctor examine.
#pragma once

#include <string>

#include "nibble/compare.hpp"
#include "nibble/doctor.hpp"

namespace nibble {

inline const std::string shipped = std::string(NIBBLE_SOURCE_DIR) + "/models/gutenberg-16m";

inline ExamineOptions sample(std::int64_t tokens) {
  ExamineOptions options;
  options.text = held_out_text();
  options.max_tokens = tokens;
  return options;
}

}  // namespace nibble
