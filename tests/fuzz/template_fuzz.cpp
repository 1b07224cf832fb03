#include "fuzz.hpp"
#include "text/template/chat_template.hpp"

void fuzz_one(std::string_view bytes) {
  const auto parsed = nibble::ChatTemplate::parse(bytes);
  if (!parsed) return;
  static const nibble::OrderedJson variables = nibble::OrderedJson::parse(
      R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi <b>"},)"
      R"({"role":"assistant","content":"<think>\nx\n</think>\nHello"},{"role":"user","content":"Bye"}],)"
      R"("tools":null,"add_generation_prompt":true,"bos_token":"<s>","eos_token":"</s>"})");
  (void)parsed->render(variables);
}

std::vector<std::string> fuzz_seeds() {
  return {
      "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message.content | trim + eos_token }}{% "
      "endfor %}",
      "{{- bos_token }}{%- if messages[0].role == 'system' %}{%- set rest = messages[1:] %}{%- else %}{% set rest = "
      "messages %}{% endif %}"
      "{%- for m in rest %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('order') }}{% "
      "endif %}"
      "{{ m.content.split('</think>')[-1].lstrip('\\n') if m.role == 'assistant' else m.content ~ loop.last }}{% "
      "endfor %}",
      "{% macro f(a, b=2) %}{{ a * b }}{% endmacro %}{% set ns = namespace(n=0) %}{% for k, v in messages[0].items() %}"
      "{% set ns.n = ns.n + 1 %}{% if not v is string %}{% continue %}{% endif %}{{ k ~ v | tojson }}{% endfor %}{{ "
      "ns.n }}{{ f(3) }}",
      "{%- if tools is defined and tools is not none -%}{{ tools | tojson(indent=2) }}{%- endif -%}{# note #}{{ "
      "messages[::-1] | length }}"
      "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join(', ') }}"};
}

std::vector<std::string> fuzz_words() {
  return {"{{",
          "}}",
          "{%",
          "%}",
          "{%-",
          "-%}",
          "{#",
          "#}",
          " for ",
          " in ",
          " if ",
          " else ",
          "{% endfor %}",
          "{% endif %}",
          " set ",
          " is ",
          " not ",
          " and ",
          "[::-1]",
          "|length",
          "|tojson",
          "|trim",
          "messages",
          "loop.index",
          "range(999999999)",
          "namespace(",
          "(((((((",
          "[[[[[[",
          "~",
          "*",
          "9999999999",
          "'x' * 999999999",
          ".split('')",
          "{% break %}",
          "//0",
          "%0",
          "**"};
}
