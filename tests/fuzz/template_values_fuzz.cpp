// Chat templates that are well-formed by construction: a grammar writes what the bytes choose. Rendering is bounded,
// the same each time, and text of a UTF-8 template and UTF-8 messages is UTF-8.
#include "base/utf8.hpp"
#include "choices.hpp"
#include "fuzz.hpp"
#include "text/template/chat_template.hpp"

namespace {

const std::vector<std::string> names = {"messages",  "tools", "x", "y", "ns", "loop", "add_generation_prompt",
                                        "bos_token", "m"};
const std::vector<std::string> literals = {"1",
                                           "0",
                                           "-1",
                                           "9223372036854775807",
                                           "(-9223372036854775807 - 1)",
                                           "1.5",
                                           "1e308",
                                           "true",
                                           "none",
                                           "'a'",
                                           "' b c '",
                                           "'\xC4\xB0\xC3\x9F'",
                                           "[]",
                                           "{}",
                                           "[1, 'a', none]",
                                           "{'a': 1, 'b': [2]}",
                                           "''",
                                           "200"};
const std::vector<std::string> filters = {"length",
                                          "trim",
                                          "upper",
                                          "lower",
                                          "title",
                                          "capitalize",
                                          "list",
                                          "tojson",
                                          "tojson(indent=2)",
                                          "join(',')",
                                          "first",
                                          "last",
                                          "sort",
                                          "unique",
                                          "reverse",
                                          "string",
                                          "int",
                                          "float",
                                          "abs",
                                          "round",
                                          "default('d')",
                                          "map('upper')",
                                          "selectattr('role')",
                                          "rejectattr('role', 'equalto', 'user')",
                                          "items",
                                          "dictsort",
                                          "safe",
                                          "replace('a', 'bb')",
                                          "indent(3)",
                                          "max",
                                          "min",
                                          "sum",
                                          "batch(2)",
                                          "escape"};
const std::vector<std::string> tests = {"defined", "none",    "string", "mapping", "iterable",       "sequence",
                                        "number",  "integer", "true",   "even",    "divisibleby(2)", "in [1]"};
const std::vector<std::string> methods = {"upper()",         "lower()",          "strip()",   "split()",   "split('a')",
                                          "startswith('a')", "replace('a', '')", "items()",   "keys()",    "get('a')",
                                          "count('a')",      "index('a')",       "find('a')", "format(1)", "title()",
                                          "changed(loop)",   "cycle(1, 2)"};
const std::vector<std::string> fields = {"role",  "content", "a",      "x",        "index",    "index0",
                                         "first", "last",    "length", "nextitem", "previtem", "revindex"};
const std::vector<std::string> operators = {" + ", " - ",  " * ", " / ",  " // ",  " % ",  " ** ",
                                            " ~ ", " == ", " < ", " in ", " and ", " or ", " not in "};

std::string expression(Choices& choices, int depth) {
  const auto inner = [&] { return expression(choices, depth + 1); };
  if (depth > 4 || choices.at_end()) return choices.below(2) ? choices.one_of(names) : choices.one_of(literals);
  switch (choices.below(13)) {
    case 0:
      return choices.one_of(literals);
    case 1:
      return "(" + inner() + choices.one_of(operators) + inner() + ")";
    case 2:
      return inner() + "|" + choices.one_of(filters);
    case 3:
      return inner() + "." + choices.one_of(methods);
    case 4:
      return inner() + "." + choices.one_of(fields);
    case 5:
      return inner() + "[" + inner() + "]";
    case 6:
      return inner() + "[" + inner() + ":" + inner() + ":" + inner() + "]";
    case 7:
      return "(" + inner() + " if " + inner() + " else " + inner() + ")";
    case 8:
      return "(" + inner() + " is " + choices.one_of(tests) + ")";
    case 9:
      return "range(" + inner() + ", " + inner() + ", " + inner() + ")";
    case 10:
      return "[" + inner() + ", " + inner() + "]";
    case 11:
      return "namespace(x=" + inner() + ")";
    default:
      return choices.one_of(names);
  }
}

std::string statements(Choices& choices, int depth) {
  std::string out;
  for (int i = 0; i < 6 && !choices.at_end(); ++i) {
    const auto value = [&] { return expression(choices, 0); };
    const auto body = [&] { return depth < 4 ? statements(choices, depth + 1) : std::string("t"); };
    switch (choices.below(11)) {
      case 0:
        out += "{% set " + choices.one_of(names) + " = " + value() + " %}";
        break;
      case 1:
        out += "{% set ns.x = " + value() + " %}";
        break;
      case 2:
        out += "{% for x in " + value() + " %}" + body() + "{% else %}" + body() + "{% endfor %}";
        break;
      case 3:
        out += "{% for x, y in " + value() + " if " + value() + " %}" + body() + "{% endfor %}";
        break;
      case 4:
        out += "{% if " + value() + " %}" + body() + "{% else %}" + body() + "{% endif %}";
        break;
      case 5:
        out += "{% macro m(x, y=" + value() + ") %}" + body() + "{% endmacro %}";
        break;
      case 6:
        out += "{{ m(" + value() + ") }}";
        break;
      case 7:
        out += "{% set x %}" + body() + "{% endset %}";
        break;
      case 8:
        out += "{% filter " + choices.one_of(filters) + " %}" + body() + "{% endfilter %}";
        break;
      default:
        out += "{{ " + value() + " }}";
    }
    if (choices.below(4) == 3) return out;
  }
  return out;
}

}  // namespace

bool fuzz_one(std::string_view bytes) {
  static const nibble::OrderedJson variables = nibble::OrderedJson::parse(
      R"({"messages":[{"role":"user","content":"a \u0130b"},{"role":"assistant","content":null,"a":[1,2]}],"tools":null,"bos_token":"<s>","add_generation_prompt":true})");
  Choices choices(bytes);
  const std::string source = "{% set ns = namespace(x=0) %}" + statements(choices, 0);
  const auto parsed = nibble::ChatTemplate::parse(source);
  if (!parsed) return false;
  const nibble::RenderOptions limits{.now = 0, .max_steps = 50'000, .max_bytes = 32 << 20};
  const auto text = parsed->render(variables, limits);
  if (!text) {
    fuzz_expect(text.error().message.size() < 2000, "a message is short whatever the file says");
    return true;
  }
  fuzz_expect(nibble::is_valid_utf8(*text), "a rendered text is UTF-8");
  const auto again = parsed->render(variables, limits);
  fuzz_expect(again.has_value() && *again == *text, "a template renders the same each time");
  return true;
}

std::vector<std::string> fuzz_seeds() {
  return {"", "\11\2\1\1", std::string("\2\14\0\11\4\3\0", 7), "\4\10\1\11\11\5\2"};
}

std::vector<std::string> fuzz_words() { return {"\2\14", "\11\3", "\5\1", "\6\2\1"}; }
