// Tests: what may stand behind "is".
#include <array>
#include <utility>

#include "text/template/template_functions.hpp"
#include "text/template/template_operators.hpp"
#include "text/template/template_print.hpp"
#include "text/template/template_text.hpp"

namespace nibble::jinja {
namespace {

bool is_sequence(const Value& v) {
  return v.is_undefined() || v.text() || v.dict() || (v.list() && v.list()->sequence < Sequence::view);
}
bool is_iterable(const Value& v) { return v.is_undefined() || v.text() || v.dict() || v.list() || v.loop(); }
bool is_callable(const Value& v) { return v.is_undefined() || v.macro() || v.method() || v.function() || v.loop(); }

using Plain = bool (*)(const Value&);
constexpr std::pair<std::string_view, Plain> plain_tests[] = {
    {"boolean", [](const Value& v) { return v.is_bool(); }},
    {"callable", is_callable},
    {"defined", [](const Value& v) { return !v.is_undefined(); }},
    {"escaped", [](const Value& v) { return v.string() && v.string()->safe; }},
    {"false", [](const Value& v) { return v.is_bool() && !v.truthy(); }},
    {"float", [](const Value& v) { return v.is_float(); }},
    {"integer", [](const Value& v) { return v.integer() && !v.is_bool(); }},
    {"iterable", is_iterable},
    {"mapping", [](const Value& v) { return v.dict() != nullptr; }},
    {"none", [](const Value& v) { return v.is_none(); }},
    {"number", [](const Value& v) { return v.number().has_value(); }},
    {"sequence", is_sequence},
    {"string", [](const Value& v) { return v.text() != nullptr; }},
    {"true", [](const Value& v) { return v.is_bool() && v.truthy(); }},
    {"undefined", [](const Value& v) { return v.is_undefined(); }}};

constexpr std::pair<std::string_view, Comparison> comparisons[] = {
    {"eq", Comparison::eq},          {"equalto", Comparison::eq}, {"==", Comparison::eq}, {"ne", Comparison::ne},
    {"!=", Comparison::ne},          {"lt", Comparison::lt},      {"<", Comparison::lt},  {"lessthan", Comparison::lt},
    {"le", Comparison::le},          {"<=", Comparison::le},      {"gt", Comparison::gt}, {">", Comparison::gt},
    {"greaterthan", Comparison::gt}, {"ge", Comparison::ge},      {">=", Comparison::ge}, {"in", Comparison::in}};

// str.islower and str.isupper: there is such a letter, and no letter of another case.
Result<bool> is_all(Rendering& rendering, const Value& value, bool (*wanted)(char32_t)) {
  NIBBLE_TRY(const std::string text, to_text(rendering, value));
  bool found = false;
  for (std::size_t i = 0; i < text.size(); i += character_at(text, i).bytes) {
    const char32_t c = character_at(text, i).code;
    if (is_cased(c) && !wanted(c)) return false;
    found = found || wanted(c);
  }
  return found;
}

Result<bool> remainder_is(Rendering& rendering, const Value& value, const Value& divisor, std::int64_t wanted) {
  NIBBLE_TRY(const Value rest, arithmetic(rendering, Kind::modulo, value, divisor));
  return equal(rendering, rest, Value(wanted));
}

}  // namespace

Result<bool> apply_test(Rendering& rendering, std::string_view name, const Value& value, const Arguments& arguments) {
  const auto needs = [&](std::size_t count) -> Result<void> {
    if (arguments.named.empty() && arguments.positional.size() == count) return {};
    return error(Errc::bad_request, "the test \"{}\" takes {} arguments", name, count);
  };
  for (const auto& [known, holds] : plain_tests) {
    if (known != name) continue;
    NIBBLE_CHECK(needs(0));
    return holds(value);
  }
  for (const auto& [known, comparison] : comparisons) {
    if (known != name) continue;
    NIBBLE_CHECK(needs(1));
    return compare(rendering, comparison, value, arguments.positional[0]);
  }
  if (name == "lower" || name == "upper") {
    NIBBLE_CHECK(needs(0));
    return is_all(rendering, value, name == "upper" ? is_upper : is_lower);
  }
  if (name == "odd" || name == "even") {
    NIBBLE_CHECK(needs(0));
    return remainder_is(rendering, value, Value(2), name == "odd");
  }
  if (name == "divisibleby") {
    NIBBLE_CHECK(needs(1));
    return remainder_is(rendering, value, arguments.positional[0], 0);
  }
  if (name == "sameas") {
    NIBBLE_CHECK(needs(1));
    if (value.number() && !value.is_bool()) return error(Errc::unsupported, "sameas of numbers is not supported");
    return value.same_object(arguments.positional[0]);
  }
  return error(Errc::unsupported, "the test \"{}\" is not supported", name);
}

}  // namespace nibble::jinja
