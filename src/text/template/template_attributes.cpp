// What stands behind a dot and in brackets: items of dicts and lists, methods, the fields of loop and of namespaces.
#include "text/template/template_functions.hpp"
#include "text/template/template_operators.hpp"
#include "text/template/template_strings.hpp"

namespace nibble::jinja {
namespace {

Result<Value> dict_get(Rendering& rendering, const Value& self, const Bound& arguments) {
  if (!hashable(*arguments[0])) return error(Errc::bad_request, "a {} is no key of a dict", arguments[0]->type_name());
  NIBBLE_TRY(const auto found, item_of(rendering, self, *arguments[0]));
  return found ? *found : arguments[1] ? *arguments[1] : Value(None{});
}

template <bool Keys, bool Items>
Result<Value> dict_view(Rendering& rendering, const Value& self, const Bound&) {
  Values values;
  for (const auto& [key, item] : self.dict()->items) {
    if (Keys && Items) {
      NIBBLE_TRY(values.emplace_back(), rendering.list({key, item}, Sequence::tuple));
    } else {
      values.push_back(Keys ? key : item);
    }
  }
  return rendering.list(std::move(values), Sequence::view);
}

Result<Value> copy(Rendering&, const Value& self, const Bound&) { return self; }  // it never changes

Result<Value> list_count(Rendering& rendering, const Value& self, const Bound& arguments) {
  std::int64_t count = 0;
  for (const Value& item : self.list()->items) {
    NIBBLE_TRY(const bool same, equal(rendering, item, *arguments[0]));
    count += same;
  }
  return Value(count);
}

Result<Value> list_index(Rendering& rendering, const Value& self, const Bound& arguments) {
  for (std::size_t i = 0; i < self.list()->items.size(); ++i) {
    NIBBLE_TRY(const bool same, equal(rendering, self.list()->items[i], *arguments[0]));
    if (same) return Value(std::int64_t(i));
  }
  return error(Errc::bad_request, "index: the list has no such item");
}

Result<Value> loop_cycle(Rendering&, const Value& self, const Bound& arguments) {
  const Values& values = arguments.all->positional;
  if (values.empty() || !arguments.all->named.empty()) return error(Errc::bad_request, "loop.cycle needs values");
  return values[self.loop()->index % values.size()];
}

Result<Value> loop_changed(Rendering& rendering, const Value& self, const Bound& arguments) {
  const Values& now = arguments.all->positional;
  const auto [last, is_first] = rendering.changed.try_emplace(self.loop());
  bool same = !is_first && last->second.size() == now.size();
  for (std::size_t i = 0; same && i < now.size(); ++i) {
    NIBBLE_TRY(same, equal(rendering, last->second[i], now[i]));
  }
  NIBBLE_CHECK(rendering.made(now.size() * sizeof(Value)));
  last->second = now;
  return Value(!same);
}

constexpr Function dict_methods[] = {{"copy", "", copy},
                                     {"get", "key ?default", dict_get},
                                     {"items", "", dict_view<true, true>},
                                     {"keys", "", dict_view<true, false>},
                                     {"values", "", dict_view<false, true>}};
constexpr Function list_methods[] = {
    {"copy", "", copy}, {"count", "value", list_count}, {"index", "value", list_index}};
constexpr Function loop_methods[] = {{"changed", "*", loop_changed}, {"cycle", "*", loop_cycle}};

constexpr std::string_view other_string_attributes =
    " casefold center encode expandtabs format_map isalnum isascii isdecimal isidentifier isnumeric isprintable "
    "istitle "
    "ljust maketrans rindex rjust swapcase translate zfill ";
constexpr std::string_view other_number_attributes =
    " as_integer_ratio bit_count bit_length conjugate denominator from_bytes fromhex hex imag is_integer numerator "
    "real "
    "to_bytes ";
constexpr std::string_view other_attributes =  // of generators, ranges, views of dicts, macros
    " arguments caller catch_kwargs catch_varargs close count explicit_caller gi_code gi_frame gi_running gi_suspended "
    "gi_yieldfrom index isdisjoint mapping name send start step stop throw ";
constexpr std::string_view changes_list = " append clear extend insert pop remove reverse sort ";
constexpr std::string_view changes_dict = " clear pop popitem setdefault update ";

Result<Value> loop_attribute(Rendering& rendering, const Value& value, std::string_view name) {
  Loop& loop = *value.loop();
  const std::int64_t index = std::int64_t(loop.index);
  if (name == "index0") return Value(index);
  if (name == "index") return Value(index + 1);
  if (name == "first") return Value(index == 0);
  if (name == "depth0" || name == "depth") return Value(name == "depth" ? 1 : 0);  // of a loop that is not recursive
  if (name == "previtem")
    return index == 0 ? Value::undefined("there is no previous item") : loop.items[loop.index - 1];
  const bool next_only = name == "last" || name == "nextitem";
  if (next_only || name == "length" || name == "revindex" || name == "revindex0") {
    while (loop.more && !(next_only && loop.index + 1 < loop.items.size())) {
      NIBBLE_CHECK(rendering.work());
      NIBBLE_TRY(const bool found, loop.more());
      if (!found) break;
    }
    const auto length = std::int64_t(loop.items.size());
    if (name == "last") return Value(index + 1 == length);
    if (name == "nextitem")
      return index + 1 == length ? Value::undefined("there is no next item") : loop.items[loop.index + 1];
    return Value(name == "length" ? length : name == "revindex" ? length - index : length - index - 1);
  }
  return Value();
}

Result<Value> bound(const Value& self, const Function* function) {
  return Value(std::make_shared<const Method>(Method{self, function}));
}

// What Python's getattr finds; empty: nothing. An attribute that Python has and this has not is an error.
Result<std::optional<Value>> own_attribute(Rendering& rendering, const Value& value, std::string_view name) {
  using Found = std::optional<Value>;
  const auto refused = [&] { return error(Errc::unsupported, "{}.{} is not supported", value.type_name(), name); };
  const auto unsafe = [&] {
    return Found(Value::undefined(
        fmt::format("\"{}\" of a {} would change it, which templates may not", name, value.type_name())));
  };
  if (value.space()) {
    const Value* found = value.space()->find(name);
    return found ? Found(*found) : Found();
  }
  if (name.starts_with("__") && name.ends_with("__")) {
    return Found(Value::undefined(fmt::format("\"{}\" is closed to templates", name)));
  }
  const Function* method = nullptr;
  if (const String* string = value.string()) {
    method = find_string_method(name);
    if (is_one_of(name, other_string_attributes) || (method && string->safe)) return refused();
  } else if (value.dict()) {
    method = find_function(dict_methods, name);
    if (is_one_of(name, changes_dict)) return unsafe();
    if (name == "fromkeys") return refused();
  } else if (value.list() && value.list()->sequence <= Sequence::tuple) {
    method = find_function(list_methods, name);
    if (value.list()->sequence == Sequence::list && is_one_of(name, changes_list)) return unsafe();
  } else if (value.loop()) {
    method = find_function(loop_methods, name);
    NIBBLE_TRY(Value field, loop_attribute(rendering, value, name));
    if (!method) return field.is_undefined() && name != "previtem" && name != "nextitem" ? Found() : Found(field);
  } else if (value.number()) {
    if (is_one_of(name, other_number_attributes)) return refused();
  } else if ((value.list() || value.macro()) && is_one_of(name, other_attributes)) {
    return refused();
  }
  if (!method) return Found();
  NIBBLE_TRY(Value taken, bound(value, method));
  return Found(std::move(taken));
}

Value missing(const Value& value, std::string_view name) {
  return Value::undefined(fmt::format("a {} has no \"{}\"", value.type_name(), name));
}

}  // namespace

Result<Value> attribute_of(Rendering& rendering, const Value& value, std::string_view name) {
  if (value.is_undefined()) return value.use_of_undefined();
  NIBBLE_TRY(auto found, own_attribute(rendering, value, name));
  if (!found && value.dict()) {
    const Value* item = value.dict()->find(name);
    NIBBLE_CHECK(rendering.work(1 + value.dict()->items.size() / 8));
    if (item) return *item;
  }
  return found ? std::move(*found) : missing(value, name);
}

Result<Value> subscript_of(Rendering& rendering, const Value& value, const Value& key) {
  NIBBLE_TRY(auto found, item_of(rendering, value, key));
  if (!found && key.text()) {
    NIBBLE_TRY(found, own_attribute(rendering, value, *key.text()));
  }
  if (found) return std::move(*found);
  return missing(value, key.text() ? std::string_view(*key.text()) : "such item");
}

}  // namespace nibble::jinja
