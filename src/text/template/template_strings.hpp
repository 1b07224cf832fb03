// What filters and methods of str have in common, and the table of those methods.
#pragma once

#include "text/template/template_functions.hpp"

namespace nibble::jinja {

// str.replace; count < 0: all.
Result<std::string> replaced(Rendering& rendering, std::string_view text, std::string_view from, std::string_view to,
                             std::int64_t count);
// str.splitlines: at every line end that Python knows.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

const Function* find_string_method(std::string_view name);  // null: there is none

}  // namespace nibble::jinja
