// Chat templates: parsed, and rendered with conversations of several kinds.
#include <nlohmann/json.hpp>

#include "fuzz.hpp"
#include "text/template/chat_template.hpp"

namespace {

const std::vector<nibble::OrderedJson>& conversations() {
  static const std::vector<nibble::OrderedJson> all = [] {
    std::vector<nibble::OrderedJson> kept;
    const auto cases = nibble::OrderedJson::parse(repository_file("tests/golden/templates/conversations.json"));
    for (const auto& one : cases) {
      const std::string name = one["case"];
      if (name == "several turns" || name == "two tools called" || name == "thinking kept in contents")
        kept.push_back(one["variables"]);
    }
    return kept;
  }();
  return all;
}

}  // namespace

bool fuzz_one(std::string_view bytes) {
  const auto parsed = nibble::ChatTemplate::parse(bytes);
  if (!parsed) return false;
  for (const nibble::OrderedJson& variables : conversations()) {
    const auto text = parsed->render(variables, {.max_steps = 100'000, .max_bytes = 64 << 20});
    if (!text && text.error().code == nibble::Errc::unsupported)
      return true;  // one that goes to a bound goes there each time
  }
  return true;
}

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  for (const char* name :
       {"deepseek_r1_distill", "deepseek_v3_1", "gemma_like", "llama2_like", "llama3_like", "minimind", "mistral_nemo",
        "mistral_small_3_2", "mistral_v1_like", "phi3_5_mini", "qwen2_5", "qwen3", "smollm2"})
    seeds.push_back(repository_file("tests/golden/templates/" + std::string(name) + ".jinja"));
  const auto snippets = nlohmann::json::parse(repository_file("tests/golden/templates/snippets.json"));
  for (const auto& snippet : snippets["snippets"])
    if (nibble::ChatTemplate::parse(snippet["source"].get<std::string>())) seeds.push_back(snippet["source"]);
  return seeds;
}

// Long because it is a list.
std::vector<std::string> fuzz_words() {
  return {"{{",
          "}}",
          "{%",
          "%}",
          "{%-",
          "-%}",
          "{#",
          "#}",
          "{%+ ",
          " for x in ",
          " in ",
          " if ",
          " else ",
          "{% endfor %}",
          "{% endif %}",
          "{% set x = ",
          "{% endset %}",
          "{% macro m(a, b=1) %}",
          "{% endmacro %}",
          "{{ m(",
          "{% call m() %}",
          "{% endcall %}",
          "{% filter trim %}",
          "{% endfilter %}",
          "{% raw %}",
          "{% endraw %}",
          "{% generation %}",
          "{% endgeneration %}",
          "{% break %}",
          "{% continue %}",
          " is ",
          " not ",
          " and ",
          " or ",
          "[::-1]",
          "|length",
          "|tojson(indent=2)",
          "|trim",
          "|map('",
          "|selectattr('role', ",
          "|sort",
          "|unique",
          "|join",
          "|safe",
          "|list",
          "messages",
          "tools",
          "loop.",
          "range(99999)",
          "namespace(x=",
          "ns.x = ",
          "caller()",
          "(((((((",
          "[[[[[[[",
          "~",
          "*",
          "9999999999",
          "'x' * 999999999",
          ".split('",
          ".replace('",
          ".format(",
          ".strip(",
          ".items()",
          "//0",
          "%0",
          "**",
          "-9223372036854775808",
          "1e308",
          "\xe2\x82\xac",
          "\xff",
          "\\u12",
          "true",
          "none",
          "raise_exception("};
}
