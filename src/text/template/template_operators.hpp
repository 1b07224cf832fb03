// Python's operators on values, and what for loops, subscripts and comparisons do.
#pragma once

#include "text/template/template_ast.hpp"

namespace nibble::jinja {

Result<bool> equal(Rendering& rendering, const Value& a, const Value& b);
// -1, 0, 1; types that Python does not order are an error.
Result<int> order(Rendering& rendering, const Value& a, const Value& b);
Result<bool> compare(Rendering& rendering, Comparison comparison, const Value& a, const Value& b);

// add, subtract, multiply, divide, floor_divide, modulo, power.
Result<Value> arithmetic(Rendering& rendering, Kind kind, const Value& a, const Value& b);
Result<Value> negated(const Value& value);

// list(value), for every sort of value that Python iterates; reads a generator to its end.
Result<Values> iterate(Rendering& rendering, const Value& value);
Result<std::int64_t> length_of(const Value& value);

// value[key], without looking for a method of that name. Empty: there is no such item.
Result<std::optional<Value>> item_of(Rendering& rendering, const Value& value, const Value& key);
// value[start:stop:step], absent parts None.
Result<Value> slice(Rendering& rendering, const Value& value, const Value& start, const Value& stop, const Value& step);
// Whether a key of a dict may be this: Python's hashable.
bool hashable(const Value& value);
// Sets or adds a key of a dict under construction.
Result<void> put(Rendering& rendering, Dict::Items& items, Value key, Value value);

std::string escaped(std::string_view text);  // for HTML, as markupsafe does

}  // namespace nibble::jinja
