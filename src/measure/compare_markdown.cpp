// The comparison as Markdown. What comes from outside (names, prompts, answers, errors) is text there and never markup.
#include "measure/compare_columns.hpp"
#include "nibble/text_layout.hpp"

namespace nibble {
namespace {

std::string cell(const std::string& text) { return " " + escape_markdown(text) + " |"; }

std::string markdown_table(const Comparison& c) {
  const std::vector<CompareColumn> columns = compare_columns(c);
  std::string out = "| precision |", rule = "\n| --- |";
  for (const CompareColumn& column : columns) {
    out += cell(column.title());
    rule += " ---: |";
  }
  out += rule;
  for (const PrecisionResult& r : c.results) {
    out += "\n|" + cell(r.precision.label());
    if (!r.error.empty()) {
      out += cell("not measured: " + first_words(r.error, 400));
      continue;
    }
    for (const CompareColumn& column : columns) out += cell(column.cell(r));
  }
  return out + "\n";
}

}  // namespace

std::string to_markdown(const Comparison& c) {
  std::string out =
      fmt::format("# {} at {} precisions\n\n{} parameters, on {}.\n\n**{}**\n\n", escape_markdown(model_name(c.model)),
                  c.results.size(), with_commas(c.parameters), escape_markdown(c.machine), escape_markdown(c.verdict)) +
      markdown_table(c) +
      fmt::format("\nPerplexity of {} tokens: {}; +/- is its standard error. KL and top-1: against {}.\n\n",
                  with_commas(std::uint64_t(c.predicted_tokens)), escape_markdown(c.recipe),
                  escape_markdown(c.reference));
  for (const CompareColumn& column : compare_columns(c))
    out += fmt::format("- {}: {}\n", escape_markdown(column.title()), escape_markdown(column.meaning));
  for (const std::string& problem : copy_problems(c)) out += "- " + escape_markdown(problem) + "\n";
  out += fmt::format("\n{}:\n\n", escape_markdown(describe_prompt(c)));
  for (const PrecisionResult& r : c.results)
    if (r.error.empty())
      out += fmt::format("- {} ({:.2f} s): {}\n", escape_markdown(r.precision.label()), r.answer_seconds,
                         escape_markdown(first_words(r.answer, 200)));
  const Provenance& p = c.provenance;
  out += fmt::format("\n---\n\n{}\n", escape_markdown(made_by(p)));
  for (const auto& [name, value] : origin_lines(p)) out += fmt::format("\n{}: {}\n", name, escape_markdown(value));
  return out;
}

}  // namespace nibble
