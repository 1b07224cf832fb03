// The comparison for a terminal, in parts that fit its width.
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

}  // namespace

std::string to_table(const Comparison& c, const TextStyle& style) {
  const auto lines = [&](const std::string& text) { return folded(text, style.width); };
  const std::string verdict = lines(c.verdict);
  std::string copies;
  for (const std::string& problem : copy_problems(c)) copies += lines(problem);
  return lines(fmt::format("{}: {} parameters, on {}", c.model, with_commas(c.parameters), c.machine)) + "\n" +
         table_of(c).text(style) + "\n" +
         lines(
             "MB = 10^6 bytes. peak: the process's own memory; mapped: pages of files, reclaimable. Speeds: "
             "medians, warm.") +
         lines(fmt::format("Perplexity of {} tokens: {}; +/- is its standard error.",
                           with_commas(std::uint64_t(c.predicted_tokens)), c.recipe)) +
         lines(fmt::format("KL and top-1: against {}.", c.reference)) + copies + "\n" +
         lines(describe_prompt(c) + ":") + answers_of(c, style) + "\n" + verdict;
}

}  // namespace nibble
