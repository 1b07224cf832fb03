#include "base/error.hpp"

#include <fmt/args.h>

#include <cstdio>
#include <type_traits>

#include "base/printable.hpp"

namespace nibble {

std::string message_of(fmt::string_view format, fmt::format_args arguments) {
  fmt::dynamic_format_arg_store<fmt::format_context> shown;
  bool plain = true;  // no argument with a formatter of its own, which can only be shown as it is
  for (int i = 0; plain && arguments.get(i); ++i) {
    fmt::visit_format_arg(
        [&](auto value) {
          using Value = decltype(value);
          if constexpr (std::is_same_v<Value, const char*>)
            shown.push_back(printable(value));
          else if constexpr (std::is_same_v<Value, fmt::string_view>)
            shown.push_back(printable({value.data(), value.size()}));
          else if constexpr (std::is_arithmetic_v<Value>)
            shown.push_back(value);
          else
            plain = false;
        },
        arguments.get(i));
  }
  return plain ? fmt::vformat(format, shown) : printable_lines(fmt::vformat(format, arguments));
}

void assertion_failed(const char* file, int line, const char* condition, const char* sentence) {
  std::fprintf(stderr, "nibble: internal defect at %s:%d: %s (%s)\n", file, line, sentence, condition);
  std::abort();
}

}  // namespace nibble
