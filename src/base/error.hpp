// Result and Error with formatted messages; NIBBLE_ASSERT for what only a programmer can cause.
#pragma once

#include <fmt/format.h>

#include "nibble/result.hpp"

namespace nibble {

// A message of what a file or a user may have said: texts among the arguments are shown as printable() shows them, at
// most 200 characters of each.
std::string message_of(fmt::string_view format, fmt::format_args arguments);

template <class... Args>
Error error(Errc code, fmt::format_string<Args...> format, Args&&... args) {
  return {code, message_of(format, fmt::make_format_args(args...))};
}

// Prints the sentence with its place and aborts.
[[noreturn]] void assertion_failed(const char* file, int line, const char* condition, const char* sentence);

#define NIBBLE_ASSERT(condition, sentence) \
  ((condition) ? void() : ::nibble::assertion_failed(__FILE__, __LINE__, #condition, sentence))

}  // namespace nibble
