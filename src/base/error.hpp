// Result and Error with formatted messages; NIBBLE_ASSERT for what only a programmer can cause.
#pragma once

#include <fmt/format.h>

#include "nibble/result.hpp"

namespace nibble {

template <class... Args>
Error error(Errc code, fmt::format_string<Args...> format, Args&&... args) {
  return {code, fmt::format(format, std::forward<Args>(args)...)};
}

// Prints the sentence with its place and aborts.
[[noreturn]] void assertion_failed(const char* file, int line, const char* condition, const char* sentence);

#define NIBBLE_ASSERT(condition, sentence) \
  ((condition) ? void() : ::nibble::assertion_failed(__FILE__, __LINE__, #condition, sentence))

}  // namespace nibble
