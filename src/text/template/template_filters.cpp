// Filters of one value. Those of sequences are in template_sequence_filters.cpp.
#include <charconv>
#include <cmath>

#include "text/template/template_operators.hpp"
#include "text/template/template_print.hpp"
#include "text/template/template_sequence_filters.hpp"
#include "text/template/template_strings.hpp"
#include "text/template/template_text.hpp"

namespace nibble::jinja {
namespace {

bool is_safe(const Value& value) { return value.string() && value.string()->safe; }

template <std::string (*Change)(std::string_view)>
Result<Value> changed(Rendering& rendering, const Value& value, const Bound&) {
  NIBBLE_TRY(const std::string text, to_text(rendering, value));
  return rendering.text(Change(text), is_safe(value));
}

Result<Value> string(Rendering& rendering, const Value& value, const Bound&) {
  if (value.string()) return value;
  NIBBLE_TRY(std::string text, to_text(rendering, value));
  return rendering.text(std::move(text));
}

Result<Value> safe(Rendering& rendering, const Value& value, const Bound&) {
  NIBBLE_TRY(std::string text, to_text(rendering, value));
  return rendering.text(std::move(text), true);
}

Result<Value> escape(Rendering& rendering, const Value& value, const Bound&) {
  if (is_safe(value)) return value;
  NIBBLE_TRY(const std::string text, to_text(rendering, value));
  return rendering.text(escaped(text), true);
}

Result<Value> trim(Rendering& rendering, const Value& value, const Bound& arguments) {
  NIBBLE_TRY(const auto characters, arguments.text(0));
  NIBBLE_TRY(const std::string text, to_text(rendering, value));
  return rendering.text(std::string(strip(text, Side::both, characters)), is_safe(value));
}

// The filter splits words at white space and opening brackets, which str.title() does not.
std::string title_of_words(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto splits = [&](std::size_t at) {
      const char32_t c = character_at(text, at).code;
      return is_space(c) || (c < 0x80 && std::string_view("-({[<").find(char(c)) != std::string_view::npos);
    };
    std::size_t end = i;
    const bool gap = splits(i);
    while (end < text.size() && splits(end) == gap) end += character_at(text, end).bytes;
    const std::size_t first = i + character_at(text, i).bytes;
    out += upper(text.substr(i, first - i)) + lower(text.substr(first, end - first));
    i = end;
  }
  return out;
}

Result<Value> replace(Rendering& rendering, const Value& value, const Bound& arguments) {
  NIBBLE_TRY(const std::string text, to_text(rendering, value));
  NIBBLE_TRY(const std::string from, to_text(rendering, *arguments[0]));
  NIBBLE_TRY(const std::string to, to_text(rendering, *arguments[1]));
  NIBBLE_TRY(const std::int64_t count, arguments.integer(2, -1));
  NIBBLE_TRY(std::string out, replaced(rendering, text, from, to, count));
  return rendering.text(std::move(out));
}

Result<Value> indent(Rendering& rendering, const Value& value, const Bound& arguments) {
  if (!value.text()) return error(Errc::bad_request, "indent is for texts, not for a {}", value.type_name());
  std::string indention;
  if (arguments[0] && arguments[0]->text()) {
    indention = *arguments[0]->text();
  } else {
    NIBBLE_TRY(const std::int64_t width, arguments.integer(0, 4));
    NIBBLE_CHECK(check_text_size(1, std::size_t(std::max<std::int64_t>(width, 0))));
    indention.assign(std::size_t(std::max<std::int64_t>(width, 0)), ' ');
  }
  const std::string ended = *value.text() + '\n';
  const std::vector<std::string_view> lines = split_lines(ended, false);
  NIBBLE_CHECK(rendering.made(lines.size() * sizeof lines[0]));
  NIBBLE_CHECK(check_text_size(ended.size() + 1 + indention.size() * lines.size()));
  std::string out = arguments.truthy(1) ? indention : "";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    if (i > 0 && (arguments.truthy(2) || !lines[i].empty())) out += indention;
    out += lines[i];
  }
  return rendering.text(std::move(out), is_safe(value));
}

Result<Value> tojson(Rendering& rendering, const Value& value, const Bound& arguments) {
  JsonStyle style;
  style.ascii = arguments.truthy(0);
  style.sort_keys = arguments.truthy(3);
  if (arguments[1] && arguments[1]->text()) {
    style.indent = *arguments[1]->text();
  } else if (arguments[1] && !arguments[1]->is_none()) {
    NIBBLE_TRY(const std::int64_t width, arguments.integer(1, 0));
    NIBBLE_CHECK(check_text_size(1, std::size_t(std::max<std::int64_t>(width, 0))));
    style.indent = std::string(std::size_t(std::max<std::int64_t>(width, 0)), ' ');
  }
  style.item_separator = style.indent ? "," : ", ";
  style.key_separator = ": ";
  if (arguments[2] && !arguments[2]->is_none()) {
    const List* pair = arguments[2]->list();
    if (!pair || pair->items.size() != 2 || !pair->items[0].text() || !pair->items[1].text()) {
      return error(Errc::bad_request, "tojson: separators are two texts");
    }
    style.item_separator = *pair->items[0].text();
    style.key_separator = *pair->items[1].text();
  }
  NIBBLE_TRY(std::string text, to_json(rendering, value, style));
  return rendering.text(std::move(text));
}

Result<Value> defaulted(Rendering& rendering, const Value& value, const Bound& arguments) {
  if (!value.is_undefined() && (!arguments.truthy(1) || value.truthy())) return value;
  return arguments[0] ? Result<Value>(*arguments[0]) : rendering.text("");
}

Result<Value> length_filter(Rendering&, const Value& value, const Bound&) {
  NIBBLE_TRY(const std::int64_t count, length_of(value));
  return Value(count);
}

Result<Value> absolute(Rendering&, const Value& value, const Bound&) {
  if (value.is_undefined()) return value.use_of_undefined();
  if (!value.number()) return error(Errc::bad_request, "a {} has no absolute value", value.type_name());
  if (value.is_float()) return Value(std::fabs(*value.number()));
  return *value.integer() < 0 ? negated(value) : Result<Value>(Value(*value.integer()));
}

// What Python's int() and float() read: blanks around, one sign, underscores between digits.
std::string_view number_word(std::string_view text, std::string& kept) {
  text = strip(text, Side::both);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
    if (text[i] != '_' || i == 0 || !digit(i - 1) || !digit(i + 1)) kept += text[i];
  }
  std::string_view word = kept;
  if (word.starts_with('+') && !word.starts_with("+-")) word.remove_prefix(1);
  return word;
}

std::optional<double> read_float(const Value& value) {
  if (value.number()) return value.number();
  if (!value.text()) return {};
  std::string kept;
  const std::string_view word = number_word(*value.text(), kept);
  double number = 0;
  const auto read = std::from_chars(word.data(), word.data() + word.size(), number);
  if (read.ec != std::errc() || read.ptr != word.data() + word.size()) return {};
  return number;
}

Result<Value> to_int(Rendering&, const Value& value, const Bound& arguments) {
  NIBBLE_TRY(const std::int64_t base, arguments.integer(1, 10));
  if (base != 10) return error(Errc::unsupported, "int of base {} is not supported", base);
  if (value.integer()) return Value(*value.integer());
  if (value.is_undefined()) return value.use_of_undefined();
  if (value.text()) {
    std::string kept;
    const std::string_view word = number_word(*value.text(), kept);
    std::int64_t number = 0;
    const auto read = std::from_chars(word.data(), word.data() + word.size(), number);
    if (read.ptr == word.data() + word.size() && read.ec == std::errc()) return Value(number);
  }
  if (const auto number = read_float(value); number && std::isfinite(*number)) {
    if (std::fabs(*number) >= 9.2e18) return error(Errc::unsupported, "int of a number beyond 64 bits");
    return Value(std::int64_t(*number));
  }
  return arguments[0] ? *arguments[0] : Value(0);
}

Result<Value> to_float(Rendering&, const Value& value, const Bound& arguments) {
  if (value.is_undefined()) return value.use_of_undefined();
  if (const auto number = read_float(value)) return Value(*number);
  return arguments[0] ? *arguments[0] : Value(0.0);
}

Result<Value> rounded(Rendering&, const Value& value, const Bound& arguments) {
  NIBBLE_TRY(const std::int64_t digits, arguments.integer(0, 0));
  NIBBLE_TRY(const auto method, arguments.text(1));
  if (!value.number()) return error(Errc::bad_request, "a {} cannot be rounded", value.type_name());
  if (digits < 0 || digits > 15) return error(Errc::unsupported, "rounding to {} digits is not supported", digits);
  const double number = *value.number();
  if (!method || *method == "common") {
    if (value.integer() || !std::isfinite(number)) return value;
    const std::string text = fmt::format("{:.{}f}", number, digits);
    double result = 0;
    std::from_chars(text.data(), text.data() + text.size(), result);
    return Value(result);
  }
  if (*method != "ceil" && *method != "floor") return error(Errc::bad_request, "round: common, ceil or floor");
  const double scale = std::pow(10.0, double(digits));
  return Value((*method == "ceil" ? std::ceil(number * scale) : std::floor(number * scale)) / scale);
}

Result<Value> attr(Rendering& rendering, const Value& value, const Bound& arguments) {
  NIBBLE_TRY(const std::string_view name, arguments.required_text(0));
  if (value.dict() && value.dict()->find(name)) {
    return error(Errc::unsupported, "attr of a dict is not supported; write [\"{}\"]", name);
  }
  return attribute_of(rendering, value, name);
}

constexpr Function filters[] = {{"abs", "", absolute},
                                {"attr", "name", attr},
                                {"capitalize", "", changed<capitalize>},
                                {"count", "", length_filter},
                                {"d", "?default_value ?boolean", defaulted},
                                {"default", "?default_value ?boolean", defaulted},
                                {"e", "", escape},
                                {"escape", "", escape},
                                {"float", "?default", to_float},
                                {"indent", "?width ?first ?blank", indent},
                                {"int", "?default ?base", to_int},
                                {"length", "", length_filter},
                                {"lower", "", changed<lower>},
                                {"replace", "old new ?count", replace},
                                {"round", "?precision ?method", rounded},
                                {"safe", "", safe},
                                {"string", "", string},
                                {"title", "", changed<title_of_words>},
                                {"tojson", "?ensure_ascii ?indent ?separators ?sort_keys", tojson},
                                {"trim", "?chars", trim},
                                {"upper", "", changed<upper>}};

}  // namespace

Result<Value> apply_filter(Rendering& rendering, std::string_view name, const Value& value,
                           const Arguments& arguments) {
  const Function* function = find_function(filters, name);
  if (!function) function = find_sequence_filter(name);
  if (!function) return error(Errc::unsupported, "the filter \"{}\" is not supported", name);
  return call(rendering, *function, value, arguments);
}

}  // namespace nibble::jinja
