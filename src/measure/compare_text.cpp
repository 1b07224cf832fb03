// The comparison for a terminal, in parts that fit its width, and as Markdown.
#include <algorithm>

#include "measure/compare_columns.hpp"
#include "measure/compare_verdict.hpp"
#include "nibble/text_layout.hpp"

namespace nibble {
namespace {

TextTable table_of(const Comparison& c) {
  const std::vector<CompareColumn> columns = compare_columns(c);
  std::vector<TextColumn> heads;
  for (const CompareColumn& column : columns) heads.push_back({column.name, column.group});
  TextTable table("precision", std::move(heads));
  const PrecisionResult* choice = choose(c);
  for (const PrecisionResult& r : c.results) {
    if (!r.error.empty()) {
      table.add_sentence(r.precision.label(), "not measured: " + first_words(r.error, 400));
      continue;
    }
    std::vector<std::string> cells;
    for (const CompareColumn& column : columns) cells.push_back(column.cell(r));
    table.add(r.precision.label(), std::move(cells), &r == choice);
  }
  return table;
}

// What each precision answered, a line each.
std::string answers_of(const Comparison& c, const TextStyle& style) {
  std::size_t names = 0;
  for (const PrecisionResult& r : c.results) names = std::max(names, r.precision.label().size());
  std::string out;
  for (const PrecisionResult& r : c.results) {
    if (!r.error.empty()) continue;
    const std::string head = fmt::format("  {:<{}}  {:6.2f} s  ", r.precision.label(), names, r.answer_seconds);
    out += head + first_columns(r.answer, style.width - std::min(style.width / 2, head.size())) + "\n";
  }
  return out;
}

// Why stored copies that were asked for were not measured, a sentence each.
template <class Form>
std::string copy_problems(const Comparison& c, Form form) {
  std::string out;
  for (const PrecisionResult& r : c.results)
    if (!r.stored_copy_problem.empty())
      out += form(fmt::format("load copy of {}: not measured: {}.", r.precision.label(),
                              first_words(r.stored_copy_problem, 400)));
  return out;
}

}  // namespace

std::string to_table(const Comparison& c, const TextStyle& style) {
  const auto lines = [&](const std::string& text) { return folded(text, style.width); };
  const std::string verdict = lines(c.verdict);
  return lines(fmt::format("{}: {} parameters, on {}", c.model, with_commas(c.parameters), c.machine)) + "\n" +
         table_of(c).text(style) + "\n" +
         lines(
             "MB = 10^6 bytes. peak: the process's own memory; mapped: pages of files, reclaimable. Speeds: "
             "medians, warm.") +
         lines(fmt::format("Perplexity of {} tokens: {}; +/- is its standard error.",
                           with_commas(std::uint64_t(c.predicted_tokens)), c.recipe)) +
         lines(fmt::format("KL and top-1: against {}.", c.reference)) + copy_problems(c, lines) + "\n" +
         lines(describe_prompt(c) + ":") + answers_of(c, style) + "\n" + verdict;
}

std::string to_markdown(const Comparison& c) {
  const auto cell = [](std::string text) {
    for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
    return " " + text + " |";
  };
  const std::vector<CompareColumn> columns = compare_columns(c);
  std::string out = fmt::format("# {} at {} precisions\n\n{} parameters, on {}.\n\n**{}**\n\n| precision |", c.model,
                                c.results.size(), with_commas(c.parameters), c.machine, c.verdict);
  for (const CompareColumn& column : columns) out += cell(fmt::format("{} ({})", column.name, column.group));
  out += "\n| --- |";
  for (std::size_t i = 0; i < columns.size(); ++i) out += " ---: |";
  for (const PrecisionResult& r : c.results) {
    out += "\n|" + cell(r.precision.label());
    if (r.error.empty())
      for (const CompareColumn& column : columns) out += cell(column.cell(r));
    else
      out += cell("not measured: " + first_words(r.error, 400));
  }
  out += fmt::format("\n\nPerplexity of {} tokens: {}; +/- is its standard error. KL and top-1: against {}.\n\n",
                     with_commas(std::uint64_t(c.predicted_tokens)), c.recipe, c.reference);
  for (const CompareColumn& column : columns)
    out += fmt::format("- {} ({}): {}\n", column.name, column.group, column.meaning);
  out += copy_problems(c, [](const std::string& sentence) { return "- " + sentence + "\n"; });
  out += fmt::format("\n{}:\n\n", describe_prompt(c));
  for (const PrecisionResult& r : c.results)
    if (r.error.empty())
      out += fmt::format("- {} ({:.2f} s): {}\n", r.precision.label(), r.answer_seconds, first_words(r.answer, 200));
  return out;
}

}  // namespace nibble
