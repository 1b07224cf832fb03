// Values as text: Python's str() and repr(), and json.dumps() as the tojson filter of transformers calls it.
#pragma once

#include "text/template/template_value.hpp"

namespace nibble::jinja {

Result<std::string> to_text(Rendering& rendering, const Value& value);
Result<std::string> to_repr(Rendering& rendering, const Value& value);

struct JsonStyle {
  bool ascii = false, sort_keys = false;
  std::optional<std::string> indent;  // of one level; empty optional: all on one line
  std::string item_separator, key_separator;
};
Result<std::string> to_json(Rendering& rendering, const Value& value, const JsonStyle& style);

}  // namespace nibble::jinja
