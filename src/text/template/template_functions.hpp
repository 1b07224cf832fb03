// What templates can call: filters, tests, methods of values, global functions. Each is a row of a table: its name, the
// names of its parameters, and a C++ function.
#pragma once

#include <array>

#include "text/template/template_value.hpp"

namespace nibble::jinja {

// As written at a call.
struct Arguments {
  Values positional;
  std::vector<std::pair<std::string_view, Value>> named;
};

// As the called function sees them: by the position of the parameter, null where nothing was given.
struct Bound {
  std::array<const Value*, 4> values{};
  const Arguments* all = nullptr;  // of a function that takes whatever comes

  const Value* operator[](std::size_t i) const { return values[i]; }
  bool truthy(std::size_t i, bool absent = false) const { return values[i] ? values[i]->truthy() : absent; }
  // Absent or None gives `absent`; another type is an error that names what was expected.
  Result<std::int64_t> integer(std::size_t i, std::int64_t absent) const;
  Result<std::optional<std::string_view>> text(std::size_t i) const;
  Result<std::string_view> required_text(std::size_t i) const;
};

struct Function {
  std::string_view name;
  std::string_view parameters;  // "old new ?count": names, optional ones after a "?"; "*": whatever comes
  Result<Value> (*run)(Rendering& rendering, const Value& self, const Bound& arguments);
};

Result<Value> call(Rendering& rendering, const Function& function, const Value& self, const Arguments& arguments);

Result<Value> apply_filter(Rendering& rendering, std::string_view name, const Value& value, const Arguments& arguments);
Result<bool> apply_test(Rendering& rendering, std::string_view name, const Value& value, const Arguments& arguments);

// range, dict, namespace, raise_exception, strftime_now; null: there is none of that name.
const Function* find_global(std::string_view name);

// value.name and value["name"], as jinja2 looks in both places, and as its sandbox hides what could change a value.
Result<Value> attribute_of(Rendering& rendering, const Value& value, std::string_view name);
Result<Value> subscript_of(Rendering& rendering, const Value& value, const Value& key);

template <std::size_t N>
const Function* find_function(const Function (&table)[N], std::string_view name) {
  for (const Function& function : table) {
    if (function.name == name) return &function;
  }
  return nullptr;
}
inline bool is_one_of(std::string_view word, std::string_view words) {  // words: " a b c "
  return words.find(' ' + std::string(word) + ' ') != words.npos;
}

}  // namespace nibble::jinja
