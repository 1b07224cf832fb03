// The comparison for a terminal, in parts that fit its width, and as Markdown.
#include <algorithm>

#include "measure/compare_columns.hpp"

namespace nibble {
namespace {

constexpr std::size_t terminal_width = 100;

// Characters, not bytes; every one counted as one column.
std::size_t width(std::string_view text) {
  return std::size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string right(const std::string& text, std::size_t to) {
  return std::string(to - std::min(to, width(text)), ' ') + text;
}
std::string left(const std::string& text, std::size_t to) {
  return text + std::string(to - std::min(to, width(text)), ' ');
}

// Lines of at most the terminal's width, broken at spaces.
std::string wrapped(const std::string& text) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (column > 0) {
      const bool fits = column + 1 + width(word) <= terminal_width;
      out += fits ? " " : "\n";
      column = fits ? column + 1 : 0;
    }
    out += word;
    column += width(word);
    at = end + 1;
  }
  return out + "\n";
}

struct Group {
  std::string name;
  std::vector<CompareColumn> columns;
  std::vector<std::size_t> widths;
  std::size_t width() const {
    std::size_t sum = 0;
    for (const std::size_t w : widths) sum += 2 + w;
    return sum;
  }
};

std::vector<Group> groups_of(const Comparison& c) {
  std::vector<Group> groups;
  for (const CompareColumn& column : compare_columns(c)) {
    if (groups.empty() || groups.back().name != column.group) groups.push_back({column.group, {}, {}});
    std::size_t widest = width(column.name);
    for (const PrecisionResult& r : c.results)
      if (r.error.empty()) widest = std::max(widest, width(column.cell(r)));
    groups.back().columns.push_back(column);
    groups.back().widths.push_back(widest);
  }
  for (Group& group : groups)
    if (group.width() < width(group.name) + 2) group.widths.back() += width(group.name) + 2 - group.width();
  return groups;
}

// Groups [from, to) with a row per precision.
std::string part(const Comparison& c, const std::vector<Group>& groups, std::size_t from, std::size_t to,
                 std::size_t names) {
  std::string out = std::string(names, ' ');
  for (std::size_t g = from; g < to; ++g) out += right(groups[g].name, groups[g].width());
  out += "\n" + left("precision", names);
  for (std::size_t g = from; g < to; ++g)
    for (std::size_t i = 0; i < groups[g].columns.size(); ++i)
      out += "  " + right(groups[g].columns[i].name, groups[g].widths[i]);
  out += "\n";
  for (const PrecisionResult& r : c.results) {
    out += left(r.precision.label(), names);
    for (std::size_t g = from; g < to && r.error.empty(); ++g)
      for (std::size_t i = 0; i < groups[g].columns.size(); ++i)
        out += "  " + right(groups[g].columns[i].cell(r), groups[g].widths[i]);
    if (!r.error.empty()) out += from == 0 ? "  failed: " + r.error : "  failed";
    out += "\n";
  }
  return out;
}

}  // namespace

std::string to_table(const Comparison& c) {
  const std::vector<Group> groups = groups_of(c);
  std::size_t names = width("precision");
  for (const PrecisionResult& r : c.results) names = std::max(names, width(r.precision.label()));
  std::string out = fmt::format("{}: {} parameters, on {}\n", c.model, with_commas(c.parameters), c.machine);
  for (std::size_t from = 0; from < groups.size();) {
    std::size_t to = from, wide = names;
    while (to < groups.size() && (to == from || wide + groups[to].width() <= terminal_width))
      wide += groups[to++].width();
    out += "\n" + part(c, groups, from, to, names);
    from = to;
  }
  out += "\n" +
         wrapped(
             "MB = 10^6 bytes. peak: the process's own memory; mapped: pages of files, reclaimable. Speeds: "
             "medians, warm.") +
         wrapped(fmt::format("Perplexity: {}.", c.recipe)) +
         wrapped(fmt::format("KL and top-1: against {}.", c.reference)) + "\n" + wrapped(describe_prompt(c) + ":");
  for (const PrecisionResult& r : c.results)
    if (r.error.empty())
      out += fmt::format("  {}  {:6.2f} s  {}\n", left(r.precision.label(), names), r.answer_seconds,
                         first_words(r.answer, 70));
  return out + "\n" + wrapped(c.verdict);
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
      out += cell("failed: " + first_words(r.error, 400));
  }
  out += fmt::format("\n\nPerplexity: {}. KL and top-1: against {}.\n\n", c.recipe, c.reference);
  for (const CompareColumn& column : columns)
    out += fmt::format("- {} ({}): {}\n", column.name, column.group, column.meaning);
  out += fmt::format("\n{}:\n\n", describe_prompt(c));
  for (const PrecisionResult& r : c.results)
    if (r.error.empty())
      out += fmt::format("- {} ({:.2f} s): {}\n", r.precision.label(), r.answer_seconds, first_words(r.answer, 200));
  return out;
}

}  // namespace nibble
