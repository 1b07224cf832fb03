// Tokens to a tree, by the grammar of jinja2. What jinja2 has and this does not is an error that names it.
#pragma once

#include "text/template/template_ast.hpp"

namespace nibble::jinja {

// Errors begin with "line N: ".
Result<Body> parse_template(std::string_view source);

}  // namespace nibble::jinja
