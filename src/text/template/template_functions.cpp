#include "text/template/template_functions.hpp"

#include "text/template/template_operators.hpp"
#include "text/template/template_print.hpp"

namespace nibble::jinja {

Result<std::int64_t> Bound::integer(std::size_t i, std::int64_t absent) const {
  if (!values[i] || values[i]->is_none()) return absent;
  if (const auto value = values[i]->integer()) return *value;
  if (values[i]->is_undefined()) return values[i]->use_of_undefined();
  return error(Errc::bad_request, "expected an integer, not a {}", values[i]->type_name());
}

Result<std::optional<std::string_view>> Bound::text(std::size_t i) const {
  if (!values[i] || values[i]->is_none()) return std::optional<std::string_view>();
  if (values[i]->text()) return std::optional<std::string_view>(*values[i]->text());
  if (values[i]->is_undefined()) return values[i]->use_of_undefined();
  return error(Errc::bad_request, "expected a text, not a {}", values[i]->type_name());
}

Result<std::string_view> Bound::required_text(std::size_t i) const {
  NIBBLE_TRY(const auto value, text(i));
  if (!value) return error(Errc::bad_request, "expected a text, not None");
  return *value;
}

Result<Value> call(Rendering& rendering, const Function& function, const Value& self, const Arguments& arguments) {
  Bound bound;
  bound.all = &arguments;
  if (function.parameters == "*") return function.run(rendering, self, bound);
  std::size_t count = 0, named = 0;
  for (std::string_view rest = function.parameters; !rest.empty(); ++count) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    const bool optional = rest.starts_with('?');
    const std::string_view name = rest.substr(optional, end - optional);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (count < arguments.positional.size()) bound.values[count] = &arguments.positional[count];
    for (const auto& [given, value] : arguments.named) {
      if (given != name) continue;
      if (bound.values[count]) return error(Errc::bad_request, "{}: \"{}\" is given twice", function.name, name);
      bound.values[count] = &value;
      ++named;
    }
    if (!optional && !bound.values[count])
      return error(Errc::bad_request, "{}: \"{}\" is missing", function.name, name);
  }
  if (arguments.positional.size() > count || named < arguments.named.size()) {
    return error(Errc::bad_request, "{}: takes only ({})", function.name, function.parameters);
  }
  return function.run(rendering, self, bound);
}

namespace {

Result<Value> range(Rendering& rendering, const Value&, const Bound& arguments) {
  if (!arguments[0]->integer())
    return error(Errc::bad_request, "range counts integers, not {}", arguments[0]->type_name());
  NIBBLE_TRY(const std::int64_t first, arguments.integer(0, 0));
  NIBBLE_TRY(const std::int64_t second, arguments.integer(1, 0));
  NIBBLE_TRY(const std::int64_t step, arguments.integer(2, 1));
  if (step == 0) return error(Errc::bad_request, "range has step 0");
  const auto start = __int128(arguments[1] ? first : 0), stop = __int128(arguments[1] ? second : first);
  const __int128 apart = step > 0 ? stop - start : start - stop;
  const __int128 count = apart > 0 ? (apart - 1) / (step > 0 ? step : -__int128(step)) + 1 : 0;
  if (count > 100'000) return error(Errc::bad_request, "range is too long; the sandbox allows 100000 items");
  Values items;
  for (std::int64_t i = 0; i < std::int64_t(count); ++i) items.emplace_back(std::int64_t(start + __int128(i) * step));
  NIBBLE_CHECK(rendering.work(std::size_t(count)));
  return rendering.list(std::move(items), Sequence::range);
}

// dict() and namespace(): a dict to copy, and further entries by name.
Result<Dict::Items> entries(Rendering& rendering, const Bound& arguments) {
  Dict::Items items;
  for (const Value& source : arguments.all->positional) {
    if (!source.dict() || arguments.all->positional.size() > 1) {
      return error(Errc::unsupported, "dict() and namespace() of anything but one dict and names is not supported");
    }
    items = source.dict()->items;
  }
  for (const auto& [name, value] : arguments.all->named) {
    NIBBLE_TRY(Value key, rendering.text(std::string(name)));
    NIBBLE_CHECK(put(rendering, items, std::move(key), value));
  }
  return items;
}

Result<Value> dict(Rendering& rendering, const Value&, const Bound& arguments) {
  NIBBLE_TRY(Dict::Items items, entries(rendering, arguments));
  return rendering.dict(std::move(items));
}

Result<Value> make_namespace(Rendering& rendering, const Value&, const Bound& arguments) {
  NIBBLE_TRY(const Dict::Items items, entries(rendering, arguments));
  NIBBLE_TRY(Value space, rendering.space());
  for (const auto& [name, value] : items) {
    if (!name.text())
      return error(Errc::unsupported, "a namespace with a {} as a name is not supported", name.type_name());
    if (name.text()->starts_with('_')) {
      return error(Errc::bad_request, "a namespace holds no name that begins with _, like {}", *name.text());
    }
    space.space()->set(*name.text(), value);
  }
  return space;
}

Result<Value> raise_exception(Rendering& rendering, const Value&, const Bound& arguments) {
  NIBBLE_TRY(const std::string text, to_text(rendering, *arguments[0]));
  return error(Errc::bad_request, "{}", text);
}

Result<Value> strftime_now(Rendering& rendering, const Value&, const Bound& arguments) {
  NIBBLE_TRY(const std::string_view format, arguments.required_text(0));
  if (format.size() > 1000) return error(Errc::bad_request, "a date format of {} bytes is too long", format.size());
  const std::time_t now = rendering.now();
  std::tm local{};
  ::localtime_r(&now, &local);
  // A date may be empty, which strftime does not tell from failure; the blank in front makes a difference.
  std::string text(4096, '\0');
  text.resize(std::strftime(text.data(), text.size(), (' ' + std::string(format)).c_str(), &local));
  if (text.empty()) return error(Errc::bad_request, "a date is too long");
  return rendering.text(text.substr(1));
}

constexpr Function globals[] = {{"range", "start ?stop ?step", range},
                                {"dict", "*", dict},
                                {"namespace", "*", make_namespace},
                                {"raise_exception", "message", raise_exception},
                                {"strftime_now", "format", strftime_now}};

}  // namespace

const Function* find_global(std::string_view name) { return find_function(globals, name); }

}  // namespace nibble::jinja
