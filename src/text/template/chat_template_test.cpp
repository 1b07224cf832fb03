// What jinja2 has and Nibble has not is named, and no template, however written, takes more than its bounds.
#include "text/template/chat_template.hpp"

#include <gtest/gtest.h>

namespace nibble {
namespace {

Result<std::string> rendered(const std::string& source, const OrderedJson& variables = OrderedJson::object()) {
  auto parsed = ChatTemplate::parse(source);
  if (!parsed) return parsed.error();
  return parsed->render(variables, {.max_steps = 1'000'000, .max_bytes = 64 << 20});
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

struct Refusal {
  std::string source;
  std::string says;
  Errc code = Errc::unsupported;
};
void expect_refusals(const std::vector<Refusal>& refusals) {
  for (const auto& [source, says, code] : refusals) {
    SCOPED_TRACE(source.substr(0, 200));
    const auto text = rendered(source);
    ASSERT_FALSE(text) << text->substr(0, 200);
    EXPECT_NE(text.error().message.find(says), std::string::npos) << text.error().message;
    EXPECT_EQ(text.error().code, code) << text.error().message;
  }
}

TEST(ChatTemplate, AnUnsupportedConstructIsNamedWithItsLine) {
  expect_refusals({
      {"a\n{% include 'x' %}", "line 2: {% include %} is not supported"},
      {"{% extends 'x' %}", "line 1: {% extends %}"},
      {"\n\n{% block b %}{% endblock %}", "line 3: {% block %}"},
      {"{% import 'x' as y %}", "{% import %}"},
      {"{% do x() %}", "{% do %}"},
      {"{% autoescape true %}{% endautoescape %}", "{% autoescape %}"},
      {"{% for a in [] recursive %}{% endfor %}", "line 1: a recursive loop is not supported"},
      {"{{ f(*x) }}", "line 1: handing over arguments with * is not supported"},
      {"{{ f(**x) }}", "handing over arguments with **"},
      {"{% macro m() %}\n{{ varargs }}{% endmacro %}", "line 2: varargs in a macro"},
      {"{{ x[1, 2] }}", "a subscript of several parts"},
      {"{{ 0x1f }}", "line 1: an integer that is not decimal is not supported", Errc::corrupt_file},
      {"{{ 99999999999999999999 }}", "the number 99999999999999999999 is not supported"},
      {"\n{{ 'a'|wordwrap }}", "line 2: the filter \"wordwrap\" is not supported"},
      {"{{ [1]|groupby('x') }}", "the filter \"groupby\""},
      {"{{ 1 is filter }}", "the test \"filter\""},
      {"\n\n{{ 'a'.zfill(3) }}", "line 3: str.zfill is not supported"},
      {"{{ 'a'.encode() }}", "str.encode"},
      {"{{ (1).bit_length() }}", "int.bit_length"},
      {"{{ '%d' % 1 }}", "formatting with %"},
      {"{{ '{:>4}'.format(1) }}", "the field \":>4\""},
      {"{{ '{0.x}'.format(1) }}", "the field \"0.x\""},
      {"{{ '11'|int(0, 2) }}", "int of base 2"},
      {"{{ 9223372036854775807 + 1 }}", "beyond 64 bits"},
      {"{{ 2 ** 64 }}", "beyond 64 bits"},
      {"{{ [1]|map('string') }}", "a generator is printed"},
      {"{{ range }}", "a function is printed"},
      {"{{ 'a'|safe|list|string }}{{ ['a'|safe] }}", "marked safe"},
      {"{{ ('a'|safe).upper() }}", "str.upper is not supported"},
  });
}

TEST(ChatTemplate, WhatIsNoTemplateIsRefusedWithItsLine) {
  expect_refusals({
      {"a\nb {{ 'x }}", "line 2: a string has no end", Errc::corrupt_file},
      {"{% if x %}\n", "line 1: the block has no end; {% endif %} is missing", Errc::corrupt_file},
      {"\n{% endfor %}", "line 2: {% endfor %} belongs to nothing that is open", Errc::corrupt_file},
      {"{{ 1 + }}", "line 1: expected an expression, found \"}}\"", Errc::corrupt_file},
      {"{# x", "line 1: a comment has no end", Errc::corrupt_file},
      {"{{ x", "}} is missing", Errc::corrupt_file},
      {"{{ a ? b }}", "unexpected character \"?\"", Errc::corrupt_file},
  });
}

TEST(ChatTemplate, AnErrorNamesTheLineItHappensOn) {
  expect_refusals({
      {"\n{{ x.y }}", "line 2: \"x\" is undefined", Errc::bad_request},
      {"{% macro m() %}\n\n{{ 1 + '' }}{% endmacro %}\n{{ m() }}", "line 3: int + str is not defined",
       Errc::bad_request},
      {"{% macro m() %}\n\n{% endmacro %}\n{{ m() + 1 }}", "line 4: str + int is not defined", Errc::bad_request},
      {"{{ 1 }}\n\n{{ raise_exception('only users here') }}", "chat template, line 3: only users here",
       Errc::bad_request},
  });
}

TEST(ChatTemplate, WorkIsBounded) {
  const auto loops = [](const std::string& body) {
    return "{% set r = range(9)|list %}{% for a in range(99999) %}{% for b in r %}{% for c in r %}" + body +
           "{% endfor %}{% endfor %}{% endfor %}";
  };
  expect_refusals({
      {loops(""), "more work than any chat needs"},
      {loops("{% set x = a + b %}"), "more work"},
      {loops("{% if a == -1 %}{% break %}{% endif %}"), "more work"},
      {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "more "},
      {"{% macro f(n) %}{{ f(n - 1) if n }}{{ f(n - 1) if n }}{% endmacro %}{{ f(40) }}", "more work"},
      {"{% set x = range(99999)|list %}{% set y = x[:] %}{% for i in x %}{{ 1 if x == y }}{% endfor %}", "more work"},
      {"{% for i in range(100001) %}{% endfor %}", "range is too long", Errc::bad_request},
      {"{% for i in range(-9223372036854775807, 9223372036854775807) %}{% endfor %}", "range is too long",
       Errc::bad_request},
  });
}

TEST(ChatTemplate, TheBoundsLeaveRoomForAnyConversation) {
  const auto parsed = ChatTemplate::parse(
      "{% for a in messages %}{% for b in messages %}{% if a == b %}{{ a }}{% endif %}{% endfor %}{% endfor %}");
  OrderedJson messages = OrderedJson::array();
  for (int i = 0; i < 600; ++i) messages.push_back(std::to_string(i) + std::string(1000, '.'));
  ASSERT_TRUE(parsed);
  const auto text = parsed->render({{"messages", messages}});
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_GT(text->size(), 600'000u);
}

TEST(ChatTemplate, TextsAndValuesAreBounded) {
  const auto doubling = [](const std::string& start, const std::string& step) {
    return "{% set ns = namespace(x=" + start + ") %}{% for i in range(99) %}{% set ns.x = " + step + " %}{% endfor %}";
  };
  const std::string long_text = "{% set x = 'a' * 1000000 %}";
  expect_refusals({
      {"{{ 'a' * 999999999999 }}", "longer than 16 MiB"},
      {"{{ 'ab' * 9223372036854775807 }}", "longer than 16 MiB"},
      {"{{ [1] * 999999999999 }}", "is too long"},
      {"{{ 999999999999 * [1, 2] }}", "is too long"},
      {doubling("'a'", "ns.x ~ ns.x"), "longer than 16 MiB"},
      {doubling("'a'", "ns.x + ns.x"), "longer than 16 MiB"},
      {doubling("'a'", "ns.x|replace('a', 'aa')"), "longer than 16 MiB"},
      {doubling("'a'", "ns.x.replace('', 'a')"), "longer than 16 MiB"},
      {doubling("'a'", "[ns.x, ns.x]|join"), "longer than 16 MiB"},
      {doubling("'a'", "ns.x.join([ns.x, ns.x, ns.x])"), "longer than 16 MiB"},
      {doubling("'a'", "'{}{}'.format(ns.x, ns.x)"), "longer than 16 MiB"},
      {doubling("[1]", "ns.x + ns.x"), "is too long"},
      {doubling("'a'", "[ns.x, ns.x]") + "{{ ns.x }}", "the template "},
      {doubling("'a'", "[ns.x, ns.x]") + "{{ ns.x|tojson }}", "the template "},
      {doubling("'a'", "{'a': ns.x, 'b': ns.x}") + "{{ ns.x|tojson(indent=4) }}", "the template "},
      {"{% set ns = namespace(x=1, y=1) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, "
       "ns.y] %}"
       "{% endfor %}{{ ns.x == ns.y }}",
       "more work"},
      {"{% set ns = namespace(x=1) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}",
       "nested over 200 deep"},
      {"{% set ns = namespace(x=1) %}{% for i in range(999) %}{% set ns.x = {'k': ns.x} %}{% endfor %}",
       "nested over 200 deep"},
      {long_text + "{% for i in range(99) %}{{ x }}{% endfor %}", "longer than 16 MiB"},
      {long_text + "{% set y %}{% for i in range(99) %}{{ x }}{% endfor %}{% endset %}", "longer than 16 MiB"},
      {long_text + "{% for i in range(999) %}{% set y = x ~ i %}{% endfor %}", "more than 64 MiB"},
      {long_text + "{% for i in range(99) %}{% set y = x|list %}{% endfor %}", "more than 64 MiB"},
      {"{{ ['a']|tojson(indent=99999999) }}", "longer than 16 MiB"},
      {long_text + "{{ [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]|tojson(indent=x) }}", "longer than 16 MiB"},
      {"{{ 'a'|indent(999999999) }}", "longer than 16 MiB"},
      {"{{ strftime_now('" + repeated("%c", 600) + "') }}", "is too long", Errc::bad_request},
      {"{% set ns = namespace() %}{% for i in range(99999) %}{% set ns.x = namespace(y='" + repeated("y", 9000) +
           "' ~ i, z=ns) %}{% endfor %}",
       "more than 64 MiB"},
  });
}

TEST(ChatTemplate, NestingAndRecursionAreBounded) {
  expect_refusals({
      {"{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}", "nesting so deep"},
      {"{{ " + repeated("[", 100000) + "1" + repeated("]", 100000) + " }}", "nesting so deep"},
      {"{{ " + repeated("{1:", 100000) + "1" + repeated("}", 100000) + " }}", "nesting so deep"},
      {"{{ " + repeated("not ", 100000) + "1 }}", "nesting so deep"},
      {"{{ " + repeated("-", 100000) + "1 }}", "nesting so deep"},
      {"{{ " + repeated("a[", 100000) + "1" + repeated("]", 100000) + " }}", "nesting so deep"},
      {"{{ " + repeated("a(", 100000) + "1" + repeated(")", 100000) + " }}", "nesting so deep"},
      {"{{ " + repeated("a if b else ", 100000) + "c }}", "nesting so deep"},
      {repeated("{% if x %}", 100000), "nesting so deep"},
      {repeated("{% for x in y %}", 100000), "nesting so deep"},
      {"{% set " + repeated("(", 100000) + "a" + repeated(")", 100000) + " = 1 %}", "nesting so deep"},
      {"{{ 1" + repeated(" + 1", 100000) + " }}", "so many operators"},
      {"{{ 1" + repeated(" or 1", 100000) + " }}", "so many operators"},
      {"{{ x" + repeated(".x", 100000) + " }}", "so many operators"},
      {"{{ x" + repeated("|upper", 100000) + " }}", "so many operators"},
      {"{{ x" + repeated("()", 100000) + " }}", "so many operators"},
      {"{{ x" + repeated(" is none", 100000) + " }}", "cannot be chained", Errc::corrupt_file},
      {"{{ ['a']|map('map'" + repeated(", 'map'", 100000) + ") }}", "so many arguments"},
      {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "more than 400 levels"},
      {"{% macro f(a=f()) %}{% endmacro %}{{ f() }}", "more than 400 levels"},
      {"{% macro f() %}{% for x in [1] %}{% if x %}{% set y %}{{ f() }}{% endset %}{% endif %}{% endfor %}{% endmacro "
       "%}{{ f() }}",
       "more than 400 levels"},
      {"{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{{ caller() }}{% endmacro %}{% call f() %}x{% endcall "
       "%}",
       "more than 400 levels"},
  });
  // Up to the bounds it works, on the stack that a thread has.
  EXPECT_TRUE(rendered("{{ " + repeated("(", 45) + "1" + repeated(")", 45) + " }}"));
  EXPECT_TRUE(rendered("{{ 1" + repeated(" + 1", 240) + " }}"));
  EXPECT_TRUE(rendered("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"));
  EXPECT_TRUE(rendered("{{ ['a']|map('map'" + repeated(", 'map'", 90) + ", 'upper')|list|length }}"));
}

TEST(ChatTemplate, NamespacesThatHoldEachOtherAreNoLeak) {
  EXPECT_TRUE(
      rendered("{% set a = namespace() %}{% set b = namespace(a=a) %}{% set a.b = [b] %}{% set a.me = a %}"
               "{% macro m() %}{% endmacro %}{% set a.m = m %}{% for i in [1] %}{% set a.l = loop %}{% endfor %}"));
}

TEST(ChatTemplate, ALoopThatRemembersItselfIsNoLeak) {
  EXPECT_EQ(*rendered("{% for i in [1, 2] %}{{ loop.changed(loop) }} {{ loop.changed([loop, i]) }} {% endfor %}"),
            "True True True True ");
  EXPECT_EQ(*rendered("{% set ns = namespace() %}{% for i in [1] %}{% set ns.l = loop %}{% endfor %}"
                      "{{ ns.l.changed(ns.l) }}{{ ns.l.changed(ns.l) }}"),
            "TrueFalse");
  EXPECT_EQ(*rendered("{% for i in [1, 1, 2] %}{{ loop.changed(i) }} {% endfor %}"
                      "{% for i in [2, 2] %}{{ loop.changed(i) }} {% endfor %}"),
            "True False True True False ");
}

TEST(ChatTemplate, RangesReachToTheEndsOfTheIntegers) {
  EXPECT_EQ(*rendered("{{ range(-9223372036854775807 - 1, 9223372036854775807, 9223372036854775807)|list }}"),
            "[-9223372036854775808, -1, 9223372036854775806]");
  EXPECT_EQ(*rendered("{{ range(9223372036854775807, -9223372036854775807 - 1, -9223372036854775807 - 1)|list }}"),
            "[9223372036854775807, -1]");
}

TEST(ChatTemplate, LowersTheCapitalIWithADotToTwoCharacters) {
  EXPECT_EQ(*rendered("{{ '\xC4\xB0X'.lower() }}{{ '\xC4\xB0'|lower|length }}"), "i\xCC\x87x2");
}

TEST(ChatTemplate, AMacroOutlivesNoBlockItStandsIn) {
  expect_refusals(
      {{"{% set ns = namespace() %}{% for i in [1] %}{% macro m() %}{{ i }}{% endmacro %}{% set ns.m = m %}{% endfor %}"
        "{{ ns.m() }}",
        "called outside of the block"}});
}

TEST(ChatTemplate, VariablesMayNestAndCountAsJsonDoes) {
  OrderedJson deep = 1;
  for (int i = 0; i < 300; ++i) deep = OrderedJson::array({std::move(deep)});
  const auto nested = rendered("{{ x }}", {{"x", deep}});
  ASSERT_FALSE(nested);
  EXPECT_EQ(nested.error().code, Errc::bad_request);
  const auto large = rendered("{{ x }}", {{"x", std::uint64_t(1) << 63}});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Errc::unsupported);
}

TEST(ChatTemplate, BytesThatAreNotUtf8PassThrough) {
  const auto text = rendered("\xFF{{ x|trim ~ x|length ~ x[0] ~ x|upper }}\xC3", {{"x", " \xE2\x82g\xFF "}});
  ASSERT_TRUE(text);
  EXPECT_EQ(*text,
            "\xFF\xE2\x82g\xFF"
            "6 "
            " \xE2\x82G\xFF \xC3");
}

}  // namespace
}  // namespace nibble
