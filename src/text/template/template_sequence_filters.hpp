// Filters of lists and dicts.
#pragma once

#include "text/template/template_functions.hpp"

namespace nibble::jinja {

const Function* find_sequence_filter(std::string_view name);  // null: there is none

}  // namespace nibble::jinja
